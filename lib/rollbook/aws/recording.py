"""Keeps what AWS is asked and answers, by the SDK's own events. Members that AWS' models call sensitive are
never kept."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from rollbook.evidence.answers import NO_ANSWER, Asked, Records, no_answer

_PARAMETERS = "rollbook.parameters"


class Recording:
    """Keeps calls of the clients that it is put on.

    `endpoint_url`: where the clients are sent instead of AWS' own endpoints; told in the parameters of each
    call, so that an emulator's answer is not taken for one of AWS.
    """

    def __init__(self, records: Records | None, endpoint_url: str | None) -> None:
        self._records = records
        self._endpoint_url = endpoint_url

    def on(self, events: Any) -> None:
        """Listen to a client's or a session's events (botocore's `HierarchicalEmitter`)."""
        if self._records is not None:
            events.register("before-parameter-build", self._asked)
            events.register("after-call", self._answered)
            events.register("after-call-error", self._unanswered)

    def _asked(self, params: Mapping[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        context[_PARAMETERS] = shown(params, model.input_shape)

    def _answered(
        self, http_response: Any, parsed: Mapping[str, Any], model: Any, context: Mapping[str, Any], **_: Any
    ) -> None:
        error = parsed.get("Error")
        if http_response.status_code >= 300 and isinstance(error, Mapping):
            code = str(error.get("Code") or http_response.status_code)
            self._keep(model, context, code, dict(error))
        else:
            answer = shown(parsed, model.output_shape)
            self._keep(model, context, str(http_response.status_code), answer)

    def _unanswered(
        self, exception: Exception, context: Mapping[str, Any], event_name: str, **_: Any
    ) -> None:
        service, operation = event_name.split(".")[1:3]
        self._record(
            service.replace("-", ""), operation, context, NO_ANSWER, no_answer(exception), always=True
        )

    def _keep(self, model: Any, context: Mapping[str, Any], status: str, answer: object) -> None:
        reads = model.name.startswith(("Describe", "List", "Get", "BatchGet", "BatchCheck"))
        self._record(model.service_model.service_name, model.name, context, status, answer, always=not reads)

    def _record(
        self,
        service: str,
        operation: str,
        context: Mapping[str, Any],
        status: str,
        answer: object,
        *,
        always: bool,
    ) -> None:
        parameters = dict(context.get(_PARAMETERS, {}))
        if self._endpoint_url:
            parameters["endpoint_url"] = self._endpoint_url
        if self._records is not None:
            asked = Asked(f"aws:{service}", f"{service}:{operation}", parameters)
            self._records.record(asked, status, answer, always=always)


def shown(value: Any, shape: Any, name: str = "") -> Any:
    """A request's parameters or an answer as it may be kept: without the SDK's own metadata, markers in place
    of sensitive members, and digests in place of bytes."""
    if shape is not None and shape.metadata.get("sensitive"):
        return f"[secret {name}]"
    if isinstance(value, Mapping):
        members = getattr(shape, "members", None)
        whole = {key: one for key, one in value.items() if key != "ResponseMetadata"}
        if members is None:
            inner = getattr(shape, "value", None)
            return {key: shown(one, inner, str(key)) for key, one in whole.items()}
        return {key: shown(one, members.get(key), str(key)) for key, one in whole.items()}
    if isinstance(value, list | tuple):
        member = getattr(shape, "member", None)
        return [shown(one, member, name) for one in value]
    if isinstance(value, bytes | bytearray):
        return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
    return value
