"""`rollbook verify`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rollbook.errors import ExitCode

if TYPE_CHECKING:
    from rollbook.bundle.verify import Verification


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(epilog="Example: rollbook verify reports/orders-20261123-101500 --key release.pub.pem")
    def verify(
        run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of the run.")],
        key: Annotated[
            Path | None,
            typer.Option(metavar="PUB.pem", help="Public key (ed25519) that the record must be signed with."),
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    ) -> None:
        """Check that a run's record is as it was sealed, and name each file that is not."""
        from rollbook.bundle.signing import public_key
        from rollbook.bundle.verify import verify as verify_bundle
        from rollbook.evidence.folder import RunFolder

        expected = public_key(key) if key else ""
        result = verify_bundle(RunFolder.open(run_folder.expanduser().resolve()).path, expected)
        typer.echo(json.dumps(_json(result), indent=2) if as_json else _for_people(result, key))
        raise typer.Exit(int(ExitCode.OK if result.holds else ExitCode.EVIDENCE_INVALID))


def _json(result: Verification) -> dict[str, Any]:
    return {
        "run": result.run,
        "verified": result.holds,
        "files": result.files,
        "records": result.records,
        "evidence_sha256": result.evidence_sha256,
        "signed_by": list(result.signed_by),
        "problems": [
            {"path": one.path, "kind": one.kind, "sentence": one.sentence} for one in result.problems
        ],
    }


def _for_people(result: Verification, key: Path | None) -> str:
    if not result.holds:
        lines = [f"{result.run} does not verify:"]
        lines += [f"  {one.kind:<8}  {_shown(one.path)}: {one.sentence}" for one in result.problems]
        return "\n".join(lines)
    kept = f"{result.files} files are as they were sealed, {result.records} of them records of calls"
    evidence = f"evidence: sha256 {result.evidence_sha256}"
    return "\n".join((f"{result.run} verifies: {kept}", evidence, _signed(result, key)))


def _signed(result: Verification, key: Path | None) -> str:
    if key is not None:
        return f"signed with the key of {key.name}"
    if result.signed_by:
        return f"signed by {', '.join(result.signed_by)}; --key says whether that is the key that you know"
    return "not signed: this shows damage and careless change, but not who sealed it"


def _shown(path: str) -> str:
    """A path that another program chose: control characters would move the cursor."""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in path)
