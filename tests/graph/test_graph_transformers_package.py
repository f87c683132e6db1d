"""Models of the package `transformers`, made from configurations with random weights: nothing is fetched."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from neuromorph.importers.torch_import import from_torch

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
TEXT = {**SMALL, "vocab_size": 64, "max_position_embeddings": 32, "use_cache": False}
TOKENS = torch.randint(0, 60, (1, 12), generator=torch.Generator().manual_seed(0))

MODELS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "BERT": (lambda t: t.BertModel(t.BertConfig(**TEXT)), TOKENS),
    "BERT, classes": (lambda t: t.BertForSequenceClassification(t.BertConfig(**TEXT)), TOKENS),
    "GPT-2": (lambda t: t.GPT2LMHeadModel(t.GPT2Config(
        vocab_size=64, n_embd=32, n_layer=2, n_head=4, n_positions=32, use_cache=False, bos_token_id=0, eos_token_id=0,
    )), TOKENS),
    "Llama": (lambda t: t.LlamaForCausalLM(t.LlamaConfig(**TEXT, num_key_value_heads=2)), TOKENS),
    "ViT": (lambda t: t.ViTForImageClassification(t.ViTConfig(**SMALL, image_size=16, patch_size=4, num_channels=1)),
            (1, 16, 16)),
}  # fmt: skip


@pytest.fixture(scope="module")
def package() -> Iterator[Any]:
    """The package without torchvision, which other tests' packages bring in a build that may not fit this torch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        if "transformers" not in sys.modules:
            patch.setitem(sys.modules, "torchvision", None)
            patch.setitem(sys.modules, "torchaudio", None)
        yield pytest.importorskip("transformers")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODELS)
def test_model_is_read_and_computes_the_same(package: Any, name: str) -> None:
    make, example = MODELS[name]
    torch.manual_seed(0)
    graph = from_torch(make(package).eval(), example)  # checked against the module on other samples
    kinds = [type(n.operator).__name__ for n in graph.nodes]
    assert kinds.count("Product") == 4
    assert kinds.count("Softmax") == 2
