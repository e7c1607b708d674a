"""Extras of the sandbox: what they are made of, when they are built, and what a sandbox without one has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rollbook.errors import BadInputError, BuildFailedError
from rollbook.sandbox import external_secrets
from rollbook.sandbox.binaries import Binaries
from rollbook.sandbox.components import all_units
from rollbook.sandbox.extras import EXTRAS, SECRETS, BuiltExtra, KeptImport, ensure_extra, known
from rollbook.sandbox.home import Cache, SandboxHome
from rollbook.sandbox.network import PORTS, Addresses
from rollbook.sandbox.parts import Parts
from rollbook.sandbox.pki import Pki
from rollbook.sandbox.progress import SilentProgress
from rollbook.sandbox.recipe import recipe
from rollbook.sandbox.seed import seed_key

SOURCE = """package register

import (
\t_ "example.test/one/provider/aws"
\t_ "example.test/one/provider/vault"
\t_ "example.test/one/provider/aws/other"
\t"example.test/one/used"
)
"""


def patch(kept: str) -> KeptImport:
    """A patch that leaves one provider, or none."""
    return KeptImport("example.test/one", "register.go", "example.test/one/provider/", kept, "")


def built(tmp_path: Path) -> BuiltExtra:
    """A build of external-secrets that holds one definition."""
    (tmp_path / "extra").mkdir()
    (tmp_path / "extra" / "manifests.json").write_text('[{"kind": "CustomResourceDefinition"}]')
    return BuiltExtra(SECRETS, tmp_path / "extra", "key", "v0.19.2", ("one line less",))


def parts(tmp_path: Path) -> Parts:
    """Parts of a sandbox that nobody starts, with the operator's port."""
    home = SandboxHome(tmp_path / "home")
    home.create()
    ports = {name: 20000 + number for number, name in enumerate((*PORTS, external_secrets.PORT))}
    return Parts(
        home=home,
        sandbox=f"{home.tag}-1",
        addresses=Addresses("127.70", ports),
        pki=Pki(home.pki),
        binaries=Binaries(tmp_path / "bin", "key", recipe().versions()),
        traefik=tmp_path / "traefik",
        ministack=tmp_path / "ministack",
    )


def test_one_import_is_kept() -> None:
    """Imports for registration go, but the one that is named; others stay."""
    assert SOURCE.splitlines()[:4] + SOURCE.splitlines()[6:] == patch("aws").apply(SOURCE).splitlines()


def test_no_import_is_kept() -> None:
    """An empty name leaves none."""
    assert '\t"example.test/one/used"' == patch("").apply(SOURCE).splitlines()[3]


@pytest.mark.parametrize(
    ("kept", "source"), [("azure", SOURCE), ("aws", "package register\n"), ("", "package register\n")]
)
def test_a_file_that_does_not_fit_is_refused(kept: str, source: str) -> None:
    """Neither a provider that is not there nor a file that has none is passed over."""
    with pytest.raises(BuildFailedError, match=r"register\.go cannot be cut down"):
        patch(kept).apply(source)


def test_extras_are_known_by_name() -> None:
    """Each once; and a wrong name is told with those that there are."""
    assert (SECRETS,) == known([SECRETS, SECRETS])
    assert () == known([])
    with pytest.raises(BadInputError, match="no extra called 'tls'") as caught:
        known(["tls"])
    assert SECRETS in caught.value.why


def test_the_key_is_over_all_that_it_is_made_of() -> None:
    """Modules, sums and what is kept: another of any is another build."""
    own = EXTRAS[SECRETS].recipe
    others = {
        replace(own, go_mod=f"{own.go_mod}\n").key,
        replace(own, go_sum=own.go_sum[:-2]).key,
        replace(own, patches=own.patches[:1]).key,
        replace(own, patches=(replace(own.patches[0], new="vault"), own.patches[1])).key,
        recipe().key,
    }
    assert len(others | {own.key}) == 6


def test_a_finished_build_is_used_as_it_is(tmp_path: Path) -> None:
    """Nothing is installed and nothing compiled when the cache has it."""
    cache = Cache(tmp_path)
    folder = cache.binaries / EXTRAS[SECRETS].recipe.key
    folder.mkdir(parents=True)
    found = ensure_extra(SECRETS, cache, SilentProgress())
    assert (folder, folder / "bin" / "external-secrets") == (found.folder, found.binary)
    assert EXTRAS[SECRETS].recipe.version(EXTRAS[SECRETS].module) == found.version


def test_a_sandbox_without_it_has_nothing_of_it(tmp_path: Path) -> None:
    """No port, no user, no object, no component; and the same prepared store as ever."""
    assert external_secrets.Added() == external_secrets.added(())
    assert () == external_secrets.prepared(parts(tmp_path), ())
    assert not list((tmp_path / "home").rglob("*.credentials"))
    assert "external-secrets" not in {unit.name for unit in all_units(parts(tmp_path))}
    assert seed_key("[]") == seed_key("[]", ())


def test_it_adds_its_own_and_no_more(tmp_path: Path) -> None:
    """A port, a user with one role, its definitions; the store that it needs is prepared apart."""
    added = external_secrets.added((built(tmp_path),))
    assert ((external_secrets.PORT,), ("one line less",)) == (added.ports, added.disclosures)
    assert {external_secrets.USER: (external_secrets.USER, "")} == added.users
    kinds = [one["kind"] for one in added.objects]
    assert ["CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"] == kinds
    assert seed_key("[]") != seed_key("[]", added.objects)


def test_its_credentials_are_its_own(tmp_path: Path) -> None:
    """In a file for the sandbox's user alone, named in its environment, and never on its command line."""
    place = parts(tmp_path)
    [unit] = external_secrets.prepared(place, (built(tmp_path),))
    file = Path(unit.environment["AWS_SHARED_CREDENTIALS_FILE"])
    secret = file.read_text().split("=")[-1].strip()
    assert 0o600 == file.stat().st_mode & 0o777
    assert len(secret) > 20
    assert secret not in " ".join([*unit.argv, *unit.environment.values()])
    users = [one.name for one in all_units(place) if str(file) in " ".join(one.environment.values())]
    assert [] == users
    assert "--metrics-addr=127.0.0.1:" in " ".join(unit.argv)
