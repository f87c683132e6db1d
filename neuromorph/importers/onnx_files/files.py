"""The protobuf of an ONNX file and the data beside it, checked before anything of it is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from neuromorph.errors import InputError, Place

OLDEST = 9
MAX_BYTES = 2**31 - 1
"""A protobuf message cannot be larger; greater models keep their weights in files beside it."""


def load(path: Path) -> onnx.ModelProto:
    """The model with its external data in it, local functions written out."""
    place = Place(file=str(path))
    size = path.stat().st_size
    if size > MAX_BYTES:
        hint = "save it with its weights as external data (onnx.save_model(..., save_as_external_data=True))"
        raise InputError(f"holds {size} bytes, a protobuf at most {MAX_BYTES}", place, hint)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except Exception as error:
        message = (str(error).splitlines() or [""])[0]
        raise InputError(f"is no ONNX protobuf, or is cut off: {message}", place, "export or copy it again") from None
    if not model.graph.node:
        raise InputError("holds no graph with nodes", place, "give a model of ONNX, such as torch.onnx.export writes")
    versions(model, place)
    for tensor in _tensors(model.graph):
        if tensor.data_location == TensorProto.EXTERNAL:
            _external(tensor, path)
    if model.functions:
        from onnx.inliner import inline_local_functions

        try:
            model = inline_local_functions(model)
        except Exception as error:
            raise InputError(f"has local functions that cannot be written out: {error}", place) from None
    return model


def versions(model: onnx.ModelProto, place: Place) -> dict[str, int]:
    """Operator set of each domain; "" is ONNX's own."""
    found = {"" if o.domain == "ai.onnx" else o.domain: o.version for o in model.opset_import}
    newest = onnx.defs.onnx_opset_version()
    own = found.get("")
    if own is None:
        raise InputError("imports no operator set of ONNX", place, f"legal: opsets {OLDEST} to {newest}")
    if not OLDEST <= own <= newest:
        hint = (
            f"legal: {OLDEST} to {newest}, the newest that onnx {onnx.__version__} knows; export it with one of these"
        )
        raise InputError(f"has opset {own}", place, hint)
    return found


def _tensors(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                yield attribute.t


def _external(tensor: TensorProto, path: Path) -> None:
    """Reads a tensor's bytes from the file beside the model that it names."""
    place = Place(file=str(path), key=tensor.name)
    said = {entry.key: entry.value for entry in tensor.external_data}
    location = said.get("location", "")
    folder = path.resolve().parent
    file = folder / location
    outside = Path(location).is_absolute() or ".." in Path(location).parts or "\\" in location or "\0" in location
    if not location or outside or not file.resolve().is_relative_to(folder):
        raise InputError(f"external data lie in {location!r}", place, "only files in the model's own folder are read")
    if not file.is_file():
        raise InputError(f"external data file {location!r} does not exist", place, "copy it beside the model")
    try:
        offset = int(said.get("offset", 0))
        wanted = _bytes(tensor)
        length = int(said.get("length", wanted))
    except ValueError:
        raise InputError("external data have an offset, length or type that is none", place) from None
    if offset < 0 or length != wanted or offset + length > file.stat().st_size:
        held = file.stat().st_size
        raise InputError(
            f"external data take {length} bytes at {offset} of {location!r} with {held} bytes, their shape {wanted}",
            place,
            "copy the file again",
        )
    with file.open("rb") as stream:
        stream.seek(offset)
        tensor.raw_data = stream.read(length)
    tensor.data_location = TensorProto.DEFAULT
    del tensor.external_data[:]


def _bytes(tensor: TensorProto) -> int:
    """Bytes of a tensor of this shape and type."""
    count = 1
    for size in tensor.dims:
        if size < 0:
            raise ValueError(size)
        count *= size
    name = TensorProto.DataType.Name(tensor.data_type)
    for bits, kinds in ((2, ("INT2", "UINT2")), (4, ("INT4", "UINT4", "FLOAT4E2M1"))):
        if name in kinds:
            return -(-count * bits // 8)
    try:
        return count * int(helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)
    except KeyError:
        raise ValueError(name) from None
