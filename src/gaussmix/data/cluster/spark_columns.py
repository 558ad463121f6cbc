"""Which columns of a Spark DataFrame are numbers or vectors, and how each row becomes one array of them."""

import difflib
from collections.abc import Sequence

from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf
from pyspark.sql import types as st

from gaussmix.data.files.columns import DATES
from gaussmix.errors import DataError, DataKindError

LISTED = 12
SEVERAL = "holds several numbers a row"


def checked_fields(
    frame: DataFrame, columns: str | Sequence[str] | None, weights: str | None
) -> tuple[list[st.StructField], tuple[str, ...]]:
    """The fields of the columns to use, each of numbers, or one of vectors; and notes on those left out.

    Raises
    ------
    DataError, DataKindError
    """
    if not hasattr(frame, "mapInArrow"):
        raise DataKindError(
            f"a Spark DataFrame is needed here; got {type(frame).__module__}.{type(frame).__name__}. "
            "gaussmix.GaussianMixture fits rows in memory"
        )
    if weights is not None:
        field = _field(frame, weights)
        if (reason := _not_numbers(field.dataType)) is not None or is_nested(field.dataType):
            raise DataKindError(f"column {weights!r} cannot be weights: it {reason or SEVERAL}")
    if columns is None:
        return _numbers(frame, weights)
    names = [columns] if isinstance(columns, str) else list(columns)
    if not names:
        raise DataError("there are no columns to fit: name some of " + ", ".join(frame.columns[:LISTED]))
    if len(set(names)) < len(names):
        raise DataError(f"a column is named twice: {', '.join(names[:LISTED])}")
    fields = [_field(frame, name) for name in names]
    for field in fields:
        if (reason := _not_numbers(field.dataType)) is not None:
            raise DataKindError(f"column {field.name!r} {reason}")
        if len(fields) > 1 and is_nested(field.dataType):
            raise DataError(f"column {field.name!r} {SEVERAL}: name it alone, or columns of one number each")
    return fields, ()


def _numbers(frame: DataFrame, weights: str | None) -> tuple[list[st.StructField], tuple[str, ...]]:
    """All columns of numbers, or else the only one of vectors, with a note on each that is left out."""
    others = [_field(frame, field.name) for field in frame.schema.fields if field.name != weights]
    sound = [field for field in others if _not_numbers(field.dataType) is None]
    nested = [field for field in sound if is_nested(field.dataType)]
    chosen = [field for field in sound if field not in nested]
    if not chosen and len(nested) == 1:
        chosen = nested
    left_out = [
        f"column {field.name!r} {_not_numbers(field.dataType) or SEVERAL}, and was left out"
        for field in others
        if field not in chosen
    ]
    if not chosen:
        raise DataError("no column holds numbers" + (f" ({'; '.join(left_out[:3])})" if left_out else ""))
    return chosen, tuple(left_out)


def _field(frame: DataFrame, name: str) -> st.StructField:
    found = [field for field in frame.schema.fields if field.name == name]
    # Spark itself asks so, and by default takes a and A for one name.
    alike = [field for field in frame.schema.fields if field.name.lower() == name.lower()]
    if found and len(alike) > len(found) and _heeds_case(frame):
        alike = found
    if found and len(alike) > 1:
        told = ", ".join(repr(field.name) for field in alike)
        raise DataError(f"{len(alike)} columns of the DataFrame are named {name!r} ({told}); rename them")
    if not found:
        near = difflib.get_close_matches(name, frame.columns, n=1)
        listed = "the columns are " + ", ".join(frame.columns[:LISTED])
        raise DataError(f"no column {name!r}; " + (f"did you mean {near[0]!r}?" if near else listed))
    return found[0]


def _heeds_case(frame: DataFrame) -> bool:
    return str(frame.sparkSession.conf.get("spark.sql.caseSensitive", "false")).lower() == "true"


def _not_numbers(kind: st.DataType) -> str | None:
    """Why a column is neither numbers nor vectors, as the rest of a sentence."""
    if is_nested(kind) or isinstance(kind, st.NumericType | st.BooleanType):
        return None
    if isinstance(kind, st.StringType):
        return "is text (cast it, if it holds numbers; of categories, fit each by itself)"
    if isinstance(kind, st.DateType | st.TimestampType | st.TimestampNTZType):
        return DATES
    return f"holds values of type {kind.simpleString()}"


def is_nested(kind: st.DataType) -> bool:
    """Whether a column holds several numbers a row."""
    if isinstance(kind, st.ArrayType):
        return isinstance(kind.elementType, st.NumericType)
    return kind.simpleString() == "vector"


def is_single(kind: st.DataType) -> bool:
    """Whether they are 32-bit floats."""
    return isinstance(kind.elementType if isinstance(kind, st.ArrayType) else kind, st.FloatType)


def row_values(fields: list[st.StructField], single: bool) -> Column:
    """The numbers of each row as one array, which Arrow takes over as it is."""
    kind = "float" if single else "double"
    if not is_nested(fields[0].dataType):
        return sf.array(*(column_named(field.name).cast(kind) for field in fields))
    column = column_named(fields[0].name)
    if isinstance(fields[0].dataType, st.ArrayType):
        return column.cast(f"array<{kind}>")
    return sf.when(column.isNotNull(), vector_to_array(column))


def column_named(name: str) -> Column:
    """The column of a name that may hold dots."""
    quoted = name.replace("`", "``")
    return sf.col(f"`{quoted}`")


def names_inside(field: st.StructField, n_features: int) -> tuple[str, ...]:
    """Names of a vector's entries."""
    described = field.metadata.get("ml_attr", {}).get("attrs", {})
    found = {attr.get("idx"): attr.get("name") for kind in described.values() for attr in kind}
    names = [found.get(j) for j in range(n_features)]
    if all(isinstance(name, str) for name in names) and len(set(names)) == n_features:
        return tuple(map(str, names))
    return tuple(f"x{j + 1}" for j in range(n_features))
