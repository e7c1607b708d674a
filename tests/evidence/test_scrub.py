"""Known secrets are taken out of texts in whatever spelling, and what was JSON stays JSON."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape, quoteattr

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollbook.evidence.scrub import Scrubber

SECRET = "p\"ä'ss/w+r<d>&=\\x% 42--7"
PLAIN = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
MARKER = "[secret TOKEN]"


def lower_hex(encoded: str) -> str:
    return re.sub("%..", lambda found: found[0].lower(), encoded)


def fully_escaped(text: str) -> str:
    return "".join(f"\\u{ord(letter):04X}" for letter in text)


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON in UTF-8": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON with escaped slashes": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "JSON of Go": lambda text: (
        json.dumps(text, ensure_ascii=False)[1:-1]
        .replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("&", "\\u0026")
    ),
    "JSON within JSON": lambda text: json.dumps(json.dumps(text)[1:-1])[1:-1],
    "JSON all escaped": fully_escaped,
    "URL": lambda text: quote(text, safe=""),
    "URL path": quote,
    "URL form": quote_plus,
    "URL in lower case": lambda text: lower_hex(quote(text, safe="")),
    "HTML": html.escape,
    "HTML text": lambda text: html.escape(text, quote=False),
    "HTML of Jinja": lambda text: html.escape(text).replace("&quot;", "&#34;").replace("&#x27;", "&#39;"),
    "XML": escape,
    "XML attribute": lambda text: quoteattr(text)[1:-1],
    "SVG comment": lambda text: escape(text).replace("--", "- -"),
    "Python": lambda text: repr(text)[1:-1],
    "Python bytes": lambda text: repr(text.encode())[2:-1],
    "shell": shlex.quote,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64 without padding": lambda text: base64.b64encode(text.encode()).decode().rstrip("="),
    "base64 in a URL": lambda text: quote(base64.b64encode(text.encode()).decode(), safe=""),
    "base64 of JSON": lambda text: base64.b64encode(json.dumps({"k": text}).encode()).decode(),
}


def traces(text: str, secret: str) -> list[str]:
    """What is left of a secret in a text, in base64 at any alignment too."""
    left = [secret] if secret in text else []
    plain = secret.encode()
    for before in range(3):
        core = base64.b64encode(b"\0" * before + plain).decode()[
            (0, 2, 3)[before] : (before + len(plain)) * 8 // 6
        ]
        left += [core] if core in text else []
    return left


@pytest.mark.parametrize("secret", [SECRET, PLAIN], ids=["odd", "plain"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_found_in_each_spelling(secret: str, spelling: str) -> None:
    """However a value is written, a marker that names it stands in its place."""
    spelled = SPELLINGS[spelling](secret)

    clean = Scrubber.of({"TOKEN": secret}).text(f"before {spelled} after")

    assert MARKER in clean
    assert spelled.strip("'") not in clean
    assert clean.startswith("before ")
    assert clean.endswith(" after")


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("after", range(4))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_secret_within_a_text_in_base64_is_found(
    before: int, after: int, encode: Callable[[bytes], bytes]
) -> None:
    """The characters that do not depend on the neighbours go, at every alignment."""
    encoded = encode(b"~" * before + PLAIN.encode() + b"~" * after).decode()

    clean = Scrubber.of({"TOKEN": PLAIN}).text(encoded)

    assert [] == traces(clean, PLAIN)
    assert MARKER in clean


def test_base64_in_lines_is_found() -> None:
    """A value that begins in one line and ends in the next is no way out."""
    encoded = base64.encodebytes(b"x" * 50 + PLAIN.encode() + b"y" * 50).decode()

    clean = Scrubber.of({"TOKEN": PLAIN}).text(f"data:\n{encoded}\nend\n")

    assert MARKER in clean
    assert [] == traces(clean.replace("\n", ""), PLAIN)
    assert clean.endswith("end\n")


PARTED = {
    "by the end of a line": PLAIN[:20] + "\n" + PLAIN[20:],
    "by an indented line": PLAIN[:20] + "\r\n    " + PLAIN[20:],
    "by an end of line in JSON": PLAIN[:20] + "\\n" + PLAIN[20:],
    "by colours": f"{PLAIN[:5]}\x1b[0m\x1b[38;5;241m{PLAIN[5:9]}\x1b[39m{PLAIN[9:]}",
    "by colours in JSON": f"{PLAIN[:5]}\\u001b[0;33m{PLAIN[5:]}",
    "by tags": f"{PLAIN[:5]}</span><span class='si'>{PLAIN[5:]}",
}


@pytest.mark.parametrize("parted", PARTED.values(), ids=PARTED)
def test_a_secret_that_is_parted_is_found(parted: str) -> None:
    """Wrapped lines, the colours of a traceback and the tags of a listing hide nothing."""
    scrubber = Scrubber.of({"TOKEN": PLAIN})

    assert f"a\n\x1b[1m{MARKER}\x1b[0m\nb" == scrubber.text(f"a\n\x1b[1m{parted}\x1b[0m\nb")


def test_the_longest_value_wins_and_overlaps_leave_nothing() -> None:
    """A value within another, and one that begins where another ends, leave no rest."""
    scrubber = Scrubber.of({"SHORT": "abc123def", "LONG": "abc123def456", "NEXT": "def456ghi789"})

    assert "[secret LONG]." == scrubber.text("abc123def456.")
    assert "[secret SHORT]." == scrubber.text("abc123def.")
    assert "[secret LONG]." == scrubber.text("abc123def456ghi789.")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("abc12", "shorter than 6"),
        ("password", "common word"),
        ("Rollbook", "common word"),
        ("123456", "number of fewer than 8"),
        ("hunter", "one word of fewer than 8"),
        ("--------", "repeats one or two"),
    ],
)
def test_a_value_that_would_be_found_everywhere_is_not_taken(value: str, why: str) -> None:
    """It stays in texts, and a sentence says so without telling it."""
    scrubber = Scrubber.of({"DB_PASSWORD": value})

    assert value == scrubber.text(value)
    assert 1 == len(scrubber.not_taken)
    assert why in scrubber.not_taken[0]
    assert value not in scrubber.not_taken[0]


def test_parts_that_are_secret_by_themselves_are_known() -> None:
    """Lines of a long value, and the password in a JSON object, are looked for too."""
    scrubber = Scrubber.of(
        {
            "KEY_SECRET": "-----BEGIN THING-----\n" + "Ab3" * 20 + "\n-----END THING-----",
            "DB_SECRET": json.dumps({"username": "someone", "password": "s3cr3t-pw"}),
        }
    )

    assert "x [secret KEY_SECRET]" == scrubber.text("x " + "Ab3" * 20)
    assert "someone [secret DB_SECRET]" == scrubber.text("someone s3cr3t-pw")


def test_a_scrubber_shows_nothing_of_what_it_knows() -> None:
    """Neither its representation nor a sentence of it holds a value."""
    scrubber = Scrubber.of({"TOKEN": PLAIN})

    assert PLAIN not in f"{scrubber!r} {scrubber} {scrubber.not_taken}"


def test_one_more_value_makes_another_scrubber() -> None:
    """What is learnt later is known to the new scrubber, what was known before to both."""
    first = Scrubber.of({"TOKEN": PLAIN})
    second = first.knowing("other", "another-value")

    assert "another-value [secret TOKEN]" == first.text(f"another-value {PLAIN}")
    assert "[secret other] [secret TOKEN]" == second.text(f"another-value {PLAIN}")


def test_values_of_json_are_scrubbed_with_keys_and_numbers() -> None:
    """Texts, keys, things that become text, and a number that is a secret as a whole; nothing is lost."""
    scrubber = Scrubber.of({"TOKEN": PLAIN, "PIN_SECRET": "1234567890"})
    value = {
        PLAIN: 1,
        f"{MARKER}": 2,
        "list": [PLAIN, (1234567890, 12345678901, 0.5, None, True)],
        "path": Path("/tmp") / "x",
        3: "kept",
    }

    assert {
        MARKER: 1,
        f"{MARKER} 2": 2,
        "list": [MARKER, ["[secret PIN_SECRET]", 12345678901, 0.5, None, True]],
        "path": "/tmp/x",
        "3": "kept",
    } == scrubber.json(value)


def test_bytes_that_are_no_text_stay() -> None:
    """In bytes, a value goes and everything around it stays as it was."""
    around = bytes(range(256))

    clean = Scrubber.of({"TOKEN": PLAIN}).bytes(around + PLAIN.encode() + around)

    assert around + MARKER.encode() + around == clean


def test_a_label_drawn_in_an_svg_goes_with_its_glyphs() -> None:
    """matplotlib draws a text as outlines after a comment that holds it: both tell it."""
    svg = (
        f"<svg><g id='text_1'><!-- {PLAIN} --><g><defs><path id='D-77'/></defs>"
        "<use xlink:href='#D-77'/><use xlink:href='#D-4a'/></g></g>"
        "<g id='text_2'><!-- fine --><g><use xlink:href='#D-66'/></g></g></svg>"
    )

    clean = Scrubber.of({"TOKEN": PLAIN}).text(svg)

    assert "<use xlink:href='#D-4a'/>" not in clean
    assert "<use xlink:href='#D-66'/>" in clean
    assert "<!-- fine -->" in clean


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.lists(JSON_VALUES) | st.dictionaries(st.text(), JSON_VALUES) | st.text()


@settings(max_examples=200, deadline=None)
@given(value=DOCUMENTS, data=st.data(), ascii_only=st.booleans())
def test_json_stays_json_whatever_the_secret(value: object, data: st.DataObject, ascii_only: bool) -> None:
    """Any stretch of a JSON text may be the secret, structure included: what comes out still parses."""
    text = json.dumps(value, ensure_ascii=ascii_only)
    start = data.draw(st.integers(0, len(text)))
    secret = text[start : start + data.draw(st.integers(6, 30))]
    scrubber = Scrubber.of({"TOKEN": secret})

    clean = scrubber.text(text)

    json.loads(clean)
    json.dumps(scrubber.json(value))


@settings(max_examples=200, deadline=None)
@given(before=st.text(), secret=st.text(min_size=12, max_size=60), after=st.text())
def test_no_secret_survives_and_a_second_time_changes_nothing(before: str, secret: str, after: str) -> None:
    """Whatever the value and its surroundings, it is gone, and a clean text stays as it is."""
    scrubber = Scrubber.of({"T": secret})
    if scrubber.not_taken or secret.strip() in "[secret T]":
        return

    clean = scrubber.text(before + secret + after)

    assert secret.strip() not in clean
    assert clean == scrubber.text(clean)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(), max_size=4), st.sampled_from([SECRET, PLAIN]))
def test_a_notebook_stays_valid(sources: list[str], secret: str) -> None:
    """A notebook with secrets in sources, outputs and metadata is valid when scrubbed as text or by value."""
    scrubber = Scrubber.of({"TOKEN": secret})
    cells = [
        nbformat.v4.new_code_cell(
            f"{source}{secret}",
            metadata={"tags": [secret]},
            outputs=[
                nbformat.v4.new_output("stream", text=f"{secret}\n{source}"),
                nbformat.v4.new_output("error", ename="E", evalue=secret, traceback=[f"E: {secret}"]),
                nbformat.v4.new_output(
                    "display_data", {"image/svg+xml": f"<svg>{html.escape(secret)}</svg>"}
                ),
            ],
        )
        for source in sources
    ]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"papermill": {"parameters": {"x": secret}}})

    for clean in (
        scrubber.text(nbformat.writes(notebook)),
        json.dumps(scrubber.json(json.loads(nbformat.writes(notebook)))),
    ):
        read = nbformat.reads(clean, as_version=4)
        nbformat.validate(read)
        assert [] == traces(nbformat.writes(read), json.dumps(secret)[1:-1])


def test_large_texts_take_linear_time() -> None:
    """Ten times the text takes about ten times the processor's time, with fifty values to look for."""
    scrubber = Scrubber.of({f"T{number}_TOKEN": f"{number:02}-{PLAIN[::-1]}" for number in range(50)})
    line = "2026-03-05T09:30:00 GET http://10.0.0.1:8080/secret?session=1 authorization ok pod-7d4b9c6f5\n"

    def seconds(times: int) -> float:
        text = line * times
        began = time.process_time()
        assert text == scrubber.text(text)
        return time.process_time() - began

    small = min(seconds(2_000) for _ in range(3))
    assert seconds(20_000) < 40 * small


def test_the_environment_is_known_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scrubber without arguments knows the secrets of its process, each time it is made."""
    assert PLAIN == Scrubber.of_environment().text(PLAIN)
    monkeypatch.setenv("SOME_API_KEY", PLAIN)
    assert "[secret SOME_API_KEY]" == Scrubber.of_environment().text(PLAIN)
    assert Scrubber.of_environment() is Scrubber.of_environment()
