"""Conversions of normalization, products of two activations, attention and the transformer layers of torch.nn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from neuromorph.graph.operators.activation import Softmax
from neuromorph.graph.operators.attention import Embedding, Normalize, Product
from neuromorph.graph.operators.pooling import GlobalAvgPool
from neuromorph.importers.maps import einsum, stacked
from neuromorph.importers.tracing.functions import affine
from neuromorph.importers.tracing.layers import linear
from neuromorph.importers.tracing.values import FUNCTIONS, Builder, Refused, Value, array, converts

# normalization


def normalized(b: Builder, x: Value, axes: int, weight: Any, bias: Any, eps: float, center: bool = True) -> Value:
    """Over the last `axes` tensor axes together, then scaled and shifted for each of their elements."""
    shape = x.full
    if axes >= len(shape) - x.batch:
        raise Refused("normalizes over the batch axis", "samples must not mix")
    flat = b.reshaped(x, (*shape[: len(shape) - axes], int(np.prod(shape[len(shape) - axes :]))))
    y = b.emit(Normalize(-1, float(eps), center), [flat])
    y = affine(b, y, 1.0 if weight is None else weight.reshape(-1), 0.0 if bias is None else bias.reshape(-1))
    return b.reshaped(y, shape)


@converts("layer_norm")
def _layer_norm(
    b: Builder, x: Value, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5, *_: Any
) -> Value:
    axes = 1 if isinstance(normalized_shape, int) else len(normalized_shape)
    return normalized(b, x, axes, weight, bias, eps)


@converts("native_layer_norm")
def _native_layer_norm(b: Builder, x: Value, *args: Any) -> tuple[Value, None, None]:
    return _layer_norm(b, x, *args), None, None


@converts("rms_norm")
def _rms_norm(b: Builder, x: Value, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Value:
    axes = 1 if isinstance(normalized_shape, int) else len(normalized_shape)
    eps = float(torch.finfo(torch.float32).eps) if eps is None else eps
    return normalized(b, x, axes, weight, None, eps, center=False)


@converts("group_norm")
def _group_norm(
    b: Builder, x: Value, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5, *_: Any
) -> Value:
    if x.batch != 0:
        raise Refused("has its batch axis in another place than first", "move the batch axis to the front before")
    samples, channels, *rest = x.full
    grouped = b.reshaped(x, (samples, num_groups, channels // num_groups * int(np.prod(rest))))
    y = b.reshaped(b.emit(Normalize(-1, float(eps)), [grouped]), x.full)
    shape = (-1, *(1,) * len(rest))
    return affine(b, y, *(c if v is None else v.reshape(shape) for v, c in ((weight, 1.0), (bias, 0.0))))


@converts("instance_norm")
def _instance_norm(
    b: Builder,
    x: Value,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Value:
    if not use_input_stats or running_mean is not None:
        raise Refused("normalizes with running statistics", "use a BatchNorm layer, which is the same then")
    return _group_norm(b, x, x.full[1], weight, bias, eps)


@converts("normalize")
def _normalize(b: Builder, x: Value, p: float = 2.0, dim: int = 1, eps: float = 1e-12, *_: Any, **__: Any) -> Value:
    if p != 2:
        raise Refused(f"divides by the {p}-norm", "only p=2 is known")
    square = FUNCTIONS["sum"](b, FUNCTIONS["square"](b, x), dim, True)
    floored = FUNCTIONS["clamp_min"](b, square, eps**2)
    return FUNCTIONS["mul"](b, x, FUNCTIONS["rsqrt"](b, floored))


# products


@converts("matmul", "bmm", "mm", "imatmul")
def _matmul(b: Builder, x: Any, other: Any) -> Value:
    """Two activations multiply on the chip; a constant matrix is the weight of a layer."""
    if isinstance(x, Value) and isinstance(other, Value):
        return product(b, x, other)
    if isinstance(x, Value):
        if other.dim() == 1:
            return b.reshaped(linear(b, x, _transposed(b, other[:, None])), x.full[:-1])
        if other.dim() == 2 or all(n == 1 for n in other.shape[:-2]):
            return linear(b, x, _transposed(b, other.reshape(other.shape[-2:])))
        each = other.reshape(-1, *other.shape[-2:])
        dims = [len(x.full) + k for k in range(-other.dim(), -2) if other.shape[k] != 1]
        if any(x.full[d] != other.shape[d - len(x.full)] for d in dims):
            raise Refused(f"multiplies {x.full} by a constant of shape {tuple(other.shape)}", "give a matrix")
        return stacked(b, x, dims, lambda v, i: linear(b, v, b.derived(other, ("each", i), lambda: each[i].t())))
    if x.dim() != 2:
        raise Refused(f"multiplies a constant of shape {tuple(x.shape)}", "give a matrix")
    rank = len(other.full)
    turned = b.permuted(other, [*range(rank - 2), rank - 1, rank - 2])  # (A x)^T = x^T A^T
    return b.permuted(linear(b, turned, x), [*range(rank - 2), rank - 1, rank - 2])


def product(b: Builder, x: Value, other: Value, transposed: bool = False) -> Value:
    """The matrix product over the last two tensor axes of two activations."""
    if x.batch != other.batch or len(x.full) != len(other.full) or x.batch > len(x.full) - 3:
        raise Refused(f"multiplies shapes {x.full} and {other.full}", "give both a batch axis before the matrix")
    if len(x.shape) != len(other.shape):
        raise Refused(f"multiplies shapes {x.full} and {other.full} with samples folded in two ways", "unfold them")
    return b.emit(Product(transposed), [x, other])


def _transposed(b: Builder, weight: torch.Tensor) -> torch.Tensor:
    """The transposed matrix, the same object at every use of the same parameter."""
    return b.derived(weight, "transposed", lambda: weight.t())


@converts("addmm", "baddbmm")
def _addmm(b: Builder, bias: Any, x: Any, other: Any, beta: float = 1, alpha: float = 1) -> Value:
    y = affine(b, _matmul(b, x, other), alpha, 0.0)
    if isinstance(bias, Value):
        return FUNCTIONS["add"](b, y, affine(b, bias, beta, 0.0))
    return affine(b, y, 1.0, bias, beta)


@converts("einsum")
def _einsum(b: Builder, equation: str, *operands: Any) -> Value:
    """Two operands: batch, contracted and free letters become one matrix product."""
    given = list(operands[0]) if len(operands) == 1 and isinstance(operands[0], list | tuple) else list(operands)

    def weighted(x: Value, held: Any, order: Sequence[int]) -> Value:
        turned = b.derived(held, (equation, tuple(order)), lambda: held.permute(order).reshape(-1, x.full[-1]))
        return linear(b, x, turned)

    return einsum(b, equation, given, partial(product, b), weighted, lambda v: not isinstance(v, Value))


# attention


@converts("scaled_dot_product_attention")
def attention(
    b: Builder,
    query: Value,
    key: Value,
    value: Value,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Value:
    """softmax(Q K^T scale + mask) V over the last two axes of each."""
    return _attended(b, query, key, value, attn_mask, is_causal, scale, enable_gqa)[0]


def _attended(
    b: Builder, query: Value, key: Value, value: Value, mask: Any, causal: bool, scale: float | None, shared: bool
) -> tuple[Value, Value]:
    """The result and the weights of attention."""
    if shared and (times := query.full[-3] // key.full[-3]) > 1:
        key, value = (FUNCTIONS["repeat_interleave"](b, v, times, -3) for v in (key, value))
    scale = query.full[-1] ** -0.5 if scale is None else scale
    scores = product(b, affine(b, query, scale, 0.0), key, transposed=True)
    if causal:
        mask = torch.ones(scores.full[-2:], dtype=torch.bool).tril()
    if isinstance(mask, Value):
        scores = FUNCTIONS["add"](b, scores, mask)
    elif mask is not None:
        scores = affine(b, scores, 1.0, additive(mask))
    weights = b.emit(Softmax(-1), [scores])
    return product(b, weights, value), weights


def additive(mask: torch.Tensor) -> torch.Tensor:
    """A mask as what is added to scores: bool masks say where to look."""
    if mask.dtype != torch.bool:
        return mask
    return torch.zeros(mask.shape, dtype=torch.float64).masked_fill(~mask, float("-inf"))


@converts("embedding")
def _embedding(b: Builder, weight: Any, index: Any, *_: Any) -> Value:
    if not isinstance(index, Value):  # called as a function: index first
        weight, index = index, weight
    operator = b.shared((weight,), "embedding", lambda: Embedding(array(weight, "weight")))
    return b.emit(operator, [index])


# the layers of torch.nn

Layer = Callable[..., Any]


def multihead_attention(
    b: Builder,
    m: nn.MultiheadAttention,
    query: Value,
    key: Value,
    value: Value,
    key_padding_mask: Any = None,
    need_weights: bool = True,
    attn_mask: Any = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Value, Any]:
    if m.bias_k is not None or m.add_zero_attn:
        raise Refused("adds keys of its own (add_bias_kv, add_zero_attn)", "leave them out")
    if any(isinstance(mask, Value) for mask in (key_padding_mask, attn_mask)):
        raise Refused("has a mask that depends on the input", "give a constant mask")
    q, k, v = _projected(b, m, query, key, value)
    mask = None
    for given, axes in ((attn_mask, None), (key_padding_mask, (1, 1))):
        if given is not None:
            part = additive(~given if given.dtype == torch.bool else given)
            if axes is not None:
                part = part.reshape(part.shape[0], *axes, part.shape[1])
            elif part.dim() == 3:
                raise Refused("has a mask per sample and head", "give one for all samples")
            mask = part if mask is None else mask + part
    out, weights = _attended(b, q, k, v, mask, is_causal and attn_mask is None, None, False)
    turned = b.permuted(out, [0, 2, 1, 3])
    joined = b.reshaped(turned, (*turned.full[:2], m.embed_dim))
    y = linear(b, joined, m.out_proj.weight, m.out_proj.bias)
    y = y if m.batch_first else b.permuted(y, [1, 0, 2])
    if need_weights and average_attn_weights:
        weights = b.emit(GlobalAvgPool((-3,), False), [weights])
    return y, weights if need_weights else None


def _projected(b: Builder, m: nn.MultiheadAttention, *inputs: Value) -> list[Value]:
    """Queries, keys and values as (batch, heads, length, features)."""
    moved = {id(x): x if m.batch_first else b.permuted(x, [1, 0, 2]) for x in inputs}
    first = [moved[id(x)] for x in inputs]
    e = m.embed_dim
    if m.in_proj_weight is not None and len(moved) == 1:
        joint = linear(b, first[0], m.in_proj_weight, m.in_proj_bias)
        parts = [b.sliced(joint, 2, i * e, (i + 1) * e) for i in range(3)]
    else:
        weights: list[Any] = [m.q_proj_weight, m.k_proj_weight, m.v_proj_weight]
        if m.in_proj_weight is not None:
            whole = m.in_proj_weight
            weights = [b.part(whole, i * e, (i + 1) * e) for i in range(3)]
        biases: list[Any] = [None] * 3
        if m.in_proj_bias is not None:
            biases = [b.part(m.in_proj_bias, i * e, (i + 1) * e) for i in range(3)]
        parts = [linear(b, x, w, c) for x, w, c in zip(first, weights, biases, strict=True)]
    split = [b.reshaped(x, (*x.full[:2], m.num_heads, -(-x.full[2] // m.num_heads))) for x in parts]
    return [b.permuted(x, [0, 2, 1, 3]) for x in split]


def _norm(b: Builder, m: Any, x: Value) -> Value:
    return x if m is None else normalized(b, x, len(m.normalized_shape), m.weight, m.bias, m.eps)


def _activated(b: Builder, m: Any, x: Value) -> Value:
    function = m.activation
    name = getattr(function, "__name__", type(function).__name__).lower()
    if name not in FUNCTIONS:
        raise Refused(f"has activation {name}", "use relu or gelu")
    return FUNCTIONS[name](b, x)


def _feed_forward(b: Builder, m: Any, x: Value) -> Value:
    inner = _activated(b, m, linear(b, x, m.linear1.weight, m.linear1.bias))
    return linear(b, inner, m.linear2.weight, m.linear2.bias)


def _residual(b: Builder, x: Value, branch: Callable[[Value], Value], norm: Any, first: bool) -> Value:
    """x + branch(norm(x)), or norm(x + branch(x))."""
    add = FUNCTIONS["add"]
    return add(b, x, branch(_norm(b, norm, x))) if first else _norm(b, norm, add(b, x, branch(x)))


def encoder_layer(
    b: Builder,
    m: nn.TransformerEncoderLayer,
    src: Value,
    src_mask: Any = None,
    src_key_padding_mask: Any = None,
    is_causal: bool = False,
) -> Value:
    def attend(x: Value) -> Value:
        keywords = {"attn_mask": src_mask, "key_padding_mask": src_key_padding_mask, "need_weights": False}
        return multihead_attention(b, m.self_attn, x, x, x, is_causal=is_causal, **keywords)[0]

    x = _residual(b, src, attend, m.norm1, m.norm_first)
    return _residual(b, x, lambda y: _feed_forward(b, m, y), m.norm2, m.norm_first)


def decoder_layer(
    b: Builder,
    m: nn.TransformerDecoderLayer,
    tgt: Value,
    memory: Value,
    tgt_mask: Any = None,
    memory_mask: Any = None,
    tgt_key_padding_mask: Any = None,
    memory_key_padding_mask: Any = None,
    tgt_is_causal: bool = False,
    memory_is_causal: bool = False,
) -> Value:
    def attend(x: Value) -> Value:
        masks = (tgt_key_padding_mask, False, tgt_mask)
        return multihead_attention(b, m.self_attn, x, x, x, *masks, is_causal=tgt_is_causal)[0]

    def look(x: Value) -> Value:
        masks = (memory_key_padding_mask, False, memory_mask)
        return multihead_attention(b, m.multihead_attn, x, memory, memory, *masks, is_causal=memory_is_causal)[0]

    x = _residual(b, tgt, attend, m.norm1, m.norm_first)
    x = _residual(b, x, look, m.norm2, m.norm_first)
    return _residual(b, x, lambda y: _feed_forward(b, m, y), m.norm3, m.norm_first)


def encoder(
    b: Builder,
    m: nn.TransformerEncoder,
    src: Value,
    mask: Any = None,
    src_key_padding_mask: Any = None,
    is_causal: bool | None = None,
) -> Value:
    for layer in m.layers:
        src = encoder_layer(b, layer, src, mask, src_key_padding_mask, bool(is_causal))
    return _norm(b, m.norm, src)


def decoder(b: Builder, m: nn.TransformerDecoder, tgt: Value, memory: Value, *masks: Any) -> Value:
    for layer in m.layers:
        tgt = decoder_layer(b, layer, tgt, memory, *(bool(v) if i > 3 else v for i, v in enumerate(masks)))
    return _norm(b, m.norm, tgt)


def transformer(b: Builder, m: nn.Transformer, src: Value, tgt: Value, *masks: Any) -> Value:
    source, target, between, *padding = (*masks, *(None,) * (6 - len(masks)))[:6]
    memory = encoder(b, m.encoder, src, source, padding[0])
    return decoder(b, m.decoder, tgt, memory, target, between, padding[1], padding[2])


LAYERS: Mapping[type[nn.Module], Layer] = {
    nn.MultiheadAttention: multihead_attention,
    nn.TransformerEncoderLayer: encoder_layer,
    nn.TransformerDecoderLayer: decoder_layer,
    nn.TransformerEncoder: encoder,
    nn.TransformerDecoder: decoder,
    nn.Transformer: transformer,
    nn.LayerNorm: lambda b, m, x: _norm(b, m, x),
    nn.RMSNorm: lambda b, m, x: _rms_norm(b, x, m.normalized_shape, m.weight, m.eps),
    nn.GroupNorm: lambda b, m, x: _group_norm(b, x, m.num_groups, m.weight, m.bias, m.eps),
    nn.InstanceNorm1d: lambda b, m, x: _instance_module(b, m, x),
    nn.InstanceNorm2d: lambda b, m, x: _instance_module(b, m, x),
    nn.Embedding: lambda b, m, x: _embedding(b, m.weight, x),
}


def _instance_module(b: Builder, m: Any, x: Value) -> Value:
    return _instance_norm(b, x, m.running_mean, m.running_var, m.weight, m.bias, True, 0.1, m.eps)
