"""Turn the trained weights into graphs, and cut the test data that the example ships.

    python examples/transformers/make.py

Writes characters.nmg.json, fashion.nmg.json (each with .safetensors, in half precision) and NAME-test.npz.
"""

from __future__ import annotations

import numpy as np
import torch
from data import HERE, fashion, text
from models import CONTEXT, CharacterModel, VisionTransformer
from safetensors.torch import load_file

import neuromorph as nm

ROWS, IMAGES = 100, 500


def main() -> None:
    _, held, characters = text()
    x = held[: ROWS * CONTEXT].reshape(ROWS, CONTEXT)
    y = held[1 : ROWS * CONTEXT + 1].reshape(ROWS, CONTEXT)
    # not in bytes, which are read as the pixels of images
    np.savez_compressed(HERE / "characters-test.npz", x=x.astype(np.int16), y=y.astype(np.uint8))
    images, labels = fashion("t10k")
    pixels = images[:IMAGES].astype(np.float32) / 255
    np.savez_compressed(HERE / "fashion-test.npz", x=pixels.astype(np.float16), y=labels[:IMAGES].astype(np.uint8))
    examples = {"characters": torch.arange(len(characters)).repeat(2)[None, :CONTEXT], "fashion": (1, 28, 28)}
    models = {"characters": CharacterModel(len(characters)), "fashion": VisionTransformer()}
    for name, model in models.items():
        model.load_state_dict({k: v.float() for k, v in load_file(HERE / f"{name}.safetensors").items()})
        nm.save_graph(nm.from_torch(model.eval(), examples[name], name=name), HERE / name, dtype="float16")


if __name__ == "__main__":
    main()
