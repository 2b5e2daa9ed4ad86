"""One value of a document → a plain value, strictly: no text for a number, no "yes" for true. Knows its JSON Schema too."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from marshmallow import INCLUDE, Schema, ValidationError, fields, validates_schema
from marshmallow.exceptions import SCHEMA
from marshmallow.types import ErrorMessages, UnknownOption

from cleanroom.documents.flaws import EMPTY, MISSING, Flaw, did_you_mean, not_enforced, refused
from cleanroom.domain.events import Json
from cleanroom.domain.identifiers import IDENTIFIER, RESOURCE_NAME

JsonSchema = dict[str, Json]

MOST_ENTRIES = 2_000
MOST_UNKNOWN = 50  # unknown keys told of one mapping: finding what each could have meant takes time
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")

RESERVED = {
    "differential_privacy": "the aggregation threshold protects the release; leave the key out",
    "differencing": "no guard over several queries is active; leave the key out",
    "access_budget": "queries are not counted against a budget; leave the key out",
    "bounds": "contributions are not clipped; leave the key out",
    "outputs": "one threshold holds for all outputs; write the largest as aggregation_threshold: {minimum: …}",
}
"""Keys that a later version gives a meaning, in whatever place they stand → what to write now."""


class Strict:
    """What every field here says of a missing or empty value."""

    default_error_messages: ErrorMessages = {
        "required": MISSING,
        "null": EMPTY,
        "invalid": "has a value of the wrong type",
    }


class Text(Strict, fields.String):
    """Text of 1 to `most` characters, without control characters; `pattern` must match it whole."""

    def __init__(
        self,
        *,
        pattern: re.Pattern[str] | None = None,
        form: str = "text",
        hint: str | None = None,
        most: int = 4_000,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pattern, self.form, self.hint, self.most = pattern, form, hint, most

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> str:
        if not isinstance(value, str):
            quoted = "put it into quotes" if isinstance(value, bool | int | float) else None
            raise refused(f"must be {self.form}, not {kind_of(value)}", self.hint or quoted)
        if not value.strip() or len(value) > self.most:
            raise refused(f"must be {self.form} of 1 to {self.most} characters", self.hint)
        if _CONTROL.search(value):
            raise refused("holds a control character", "write plain text")
        if self.pattern and not self.pattern.match(value):
            raise refused(f"must be {self.form}", self.hint)
        return value

    def json_schema(self) -> JsonSchema:
        form: JsonSchema = {"type": "string", "minLength": 1, "maxLength": self.most}
        return form | ({"pattern": "^" + self.pattern.pattern.replace("\\Z", "$")} if self.pattern else {})


class Choice(Strict, fields.String):
    """One word of a closed list. `later`: words of the contract that this version does not enforce → what to write instead."""

    def __init__(self, words: tuple[str, ...], *, later: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.words, self.later = words, later or {}

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> str:
        if isinstance(value, str) and value in self.later:
            raise ValidationError(
                [not_enforced(f"cannot be `{value}`: this version does not enforce it", self.later[value])]
            )
        if not isinstance(value, str) or value not in self.words:
            raise refused("has a value that is not known", did_you_mean(value, self.words))
        return value

    def json_schema(self) -> JsonSchema:
        return {"enum": list(self.words)}


class Flag(Strict, fields.Boolean):
    """true or false and nothing that looks like it."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise refused(f"must be true or false, not {kind_of(value)}")
        return value

    def json_schema(self) -> JsonSchema:
        return {"type": "boolean"}


class Whole(Strict, fields.Integer):
    """A whole number from `least` to `most`; below `least` it contradicts what the key is for."""

    def __init__(self, least: int, most: int, *, reason: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.least, self.most, self.reason = least, most, reason

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise refused(f"must be a whole number, not {kind_of(value)}")
        if value < self.least:
            raise refused(
                f"is less than {self.least}: {self.reason}", f"write {self.least} or more", "policy.contradiction"
            )
        if value > self.most:
            raise refused(f"is more than {self.most:,}", f"write {self.most:,} or less")
        return value

    def json_schema(self) -> JsonSchema:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


class Several(Strict, fields.List[Any]):
    """A list without repetitions; `least` entries or more."""

    def __init__(self, inner: Any, *, least: int = 0, **kwargs: Any) -> None:
        super().__init__(inner, **kwargs)
        self.least = least

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> list[Any]:
        if not isinstance(value, list):
            hint = "write [value]" if isinstance(value, str) else "write [first, second]"
            raise refused(f"must be a list, not {kind_of(value)}", hint)
        if not self.least <= len(value) <= MOST_ENTRIES:
            raise refused(f"must have {self.least} to {MOST_ENTRIES:,} entries")
        repeated = [i for i, v in enumerate(value) if v in value[:i]] if len(value) <= 200 else _repeated(value)
        if repeated:
            raise ValidationError(
                {i: [Flaw("policy.duplicate", "repeats an earlier entry", "remove it")] for i in repeated}
            )
        return super()._deserialize(value, *args, **kwargs)

    def json_schema(self) -> JsonSchema:
        form: JsonSchema = {"type": "array", "items": json_schema_of(self.inner), "uniqueItems": True}
        return form | ({"minItems": self.least} if self.least else {})


class OneOrSeveral(Several):
    """One value, or a list of them; loaded as a list."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> list[Any]:
        if isinstance(value, str):
            return [self.inner.deserialize(value, **kwargs)]
        return super()._deserialize(value, *args, **kwargs)

    def json_schema(self) -> JsonSchema:
        return {"anyOf": [json_schema_of(self.inner), super().json_schema()]}


class ByName(Strict, fields.Dict):
    """A mapping from names to values of one form."""

    def __init__(self, keys: Text, values: Any, *, least: int = 0, **kwargs: Any) -> None:
        super().__init__(keys=keys, values=values, **kwargs)
        self.keys_form, self.values_form, self.least = keys, values, least

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        if not isinstance(value, Mapping):
            raise refused(f"must be a mapping of names, not {kind_of(value)}", "write name: value, one a line")
        if not self.least <= len(value) <= MOST_ENTRIES:
            raise refused(f"must have {self.least} to {MOST_ENTRIES:,} entries")
        try:
            loaded: dict[Any, Any] = super()._deserialize(value, *args, **kwargs)  # type: ignore[no-untyped-call]
        except ValidationError as error:
            messages = cast("dict[str, Any]", error.messages)
            flat = {name: _key_and_value(found) for name, found in messages.items()}
            raise ValidationError(flat, valid_data=error.valid_data) from None
        return loaded

    def json_schema(self) -> JsonSchema:
        form: JsonSchema = {
            "type": "object",
            "propertyNames": self.keys_form.json_schema(),
            "additionalProperties": json_schema_of(self.values_form),
        }
        return form | ({"minProperties": self.least} if self.least else {})


class Part(Strict, fields.Nested):
    """A mapping with keys of its own."""

    def json_schema(self) -> JsonSchema:
        assert isinstance(self.schema, Shape)
        return self.schema.json_schema()


class Shape(Schema):
    """A mapping with a closed list of keys. `later`: further keys that this version does not enforce → what to write."""

    error_messages = {"type": "must be a mapping of keys to values", "unknown": "is not known"}
    later: Mapping[str, str] = {}

    class Meta:
        unknown: UnknownOption = INCLUDE

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def refuse_unknown_keys(self, _data: Any, original: Any, **_kwargs: Any) -> None:
        known = self.known_keys()
        unknown = [k for k in original if k not in known] if isinstance(original, Mapping) else []
        if unknown:
            raise ValidationError({k: [self._unknown(k, known)] for k in unknown[:MOST_UNKNOWN]})

    def known_keys(self) -> dict[str, Any]:
        """The keys of the document → their fields."""
        return {f.data_key or name: f for name, f in self.fields.items()}

    def _unknown(self, key: object, known: Mapping[str, Any]) -> Flaw:
        later = RESERVED | dict(self.later)
        if isinstance(key, str) and key in later:
            return not_enforced("is not enforced by this version", later[key])
        return Flaw("policy.unknown_key", "is not a key that is known here", did_you_mean(key, known))

    def json_schema(self) -> JsonSchema:
        form: JsonSchema = {
            "type": "object",
            "properties": {key: json_schema_of(field) for key, field in self.known_keys().items()},
            "additionalProperties": False,
        }
        required: list[Json] = [key for key, field in self.known_keys().items() if field.required]
        return form | ({"required": required} if required else {})


def json_schema_of(field: Any) -> JsonSchema:
    """The field's JSON Schema (draft 2020-12), with its description where it has one."""
    form: JsonSchema = field.json_schema()
    text = field.metadata.get("description")
    return form | ({"description": text} if text else {})


def resource(what: str, **kwargs: Any) -> Text:
    """The name of a partner, connection or collaboration."""
    hint = "a lower-case letter, then up to 62 lower-case letters, digits, - or _"
    return Text(pattern=RESOURCE_NAME, form=f"the name of a {what}", hint=hint, most=63, **kwargs)


def column_name(**kwargs: Any) -> Text:
    hint = "a letter or _, then letters, digits or _"
    return Text(pattern=IDENTIFIER, form="the name of a column", hint=hint, most=128, **kwargs)


_DATASET = re.compile(r"[a-z][a-z0-9_-]{0,62}\.[A-Za-z_][A-Za-z0-9_]*\Z")


def dataset_name(**kwargs: Any) -> Text:
    hint = "write <partner>.<dataset>, such as retailer.customers"
    return Text(pattern=_DATASET, form="the name of a dataset", hint=hint, most=192, **kwargs)


def kind_of(value: object) -> str:
    """What a YAML or JSON value is, in words; never the value."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case Mapping():
            return "a mapping"
        case _:
            return "a value of another type"


def _repeated(value: list[Any]) -> list[int]:
    seen: set[str] = set()
    return [i for i, v in enumerate(value) if repr(v) in seen or seen.add(repr(v))]  # type: ignore[func-returns-value]


def _key_and_value(found: Mapping[str, Any]) -> Any:
    """Dict's errors of one entry ({"key": …, "value": …}) as errors of the entry itself."""
    key, value = found.get("key", []), found.get("value", [])
    if isinstance(value, Mapping):
        return {**value, SCHEMA: [*key, *value.get(SCHEMA, [])]} if key else value
    return [*key, *value]
