"""Arrays at addresses, so that one compiled loop can walk over any number of arrays of several types."""

from __future__ import annotations

from typing import Any

import numba
from numba.core import types
from numba.extending import intrinsic


@intrinsic
def _address(typing_context: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(types.voidptr))

    return types.voidptr(value), generate


def _view(dtype: Any) -> Any:
    @numba.njit(inline="always")
    def view(address, size):  # type: ignore[no-untyped-def]
        return numba.carray(_address(address), (size,), dtype)  # type: ignore[call-arg]

    return view


uint8_at, uint16_at, int32_at, int64_at, float32_at, float64_at = (
    _view(t) for t in (numba.uint8, numba.uint16, numba.int32, numba.int64, numba.float32, numba.float64)
)


@intrinsic
def _prefetch(typing_context: Any, array: Any, position: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        from llvmlite import ir  # type: ignore[import-untyped]
        from numba.np.arrayobj import make_array

        view = make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.gep(view.data, [arguments[1]])
        byte = builder.bitcast(place, ir.IntType(8).as_pointer())
        word = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte.type, word, word, word])
        function = builder.module.declare_intrinsic("llvm.prefetch", (byte.type,), kind)
        builder.call(function, [byte, word(0), word(3), word(1)])
        return context.get_dummy_value()

    return types.void(array, position), generate


prefetch: Any = _prefetch
"""In compiled code: prefetch(array, position) asks for that element to be brought into the cache; changes nothing."""
