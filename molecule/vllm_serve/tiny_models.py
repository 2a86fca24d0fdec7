"""Makes three tiny models without weights: a chat model, an embedding model and a reranker.

    tiny_models.py FOLDER

vLLM fills them with random numbers under `--load-format dummy`. Their tokenizer knows the 256 bytes and no words, so
that nothing has to be learnt or downloaded. Heads have 64 numbers, the least that vLLM's kernels for processors take.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

COMMON = {
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "vocab_size": 320,
    "initializer_range": 0.02,
    "bos_token_id": 0,
    "pad_token_id": 1,
    "eos_token_id": 2,
}
ENCODER = {
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "position_embedding_type": "absolute",
    "torch_dtype": "float32",
}
LLM = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "hidden_act": "silu",
    "num_key_value_heads": 2,
    "max_position_embeddings": 16384,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "use_sliding_window": False,
    "torch_dtype": "bfloat16",
}
EMBED = {"architectures": ["BertModel"], "model_type": "bert", "max_position_embeddings": 512, "type_vocab_size": 2}
RERANK = {
    "architectures": ["XLMRobertaForSequenceClassification"],
    "model_type": "xlm-roberta",
    "max_position_embeddings": 514,
    "type_vocab_size": 1,
    "id2label": {"0": "LABEL_0"},
    "label2id": {"LABEL_0": 0},
}
SPECIALS = ["<s>", "<pad>", "</s>", "<unk>"]


def letters() -> list[str]:
    """The letters that stand for the 256 bytes in a byte-level tokenizer: printable ones for themselves."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) for byte in plain] + [chr(256 + at) for at in range(len(others))]


def piece(kind: str, name: str, segment: int) -> dict:
    return {kind: {"id": name, "type_id": segment}}


def tokenizer(pairs: bool) -> dict:
    words = {word: number for number, word in enumerate([*SPECIALS, *letters()])}
    single = [piece("SpecialToken", "<s>", 0), piece("Sequence", "A", 0), piece("SpecialToken", "</s>", 0)]
    second = [piece("Sequence", "B", 0), piece("SpecialToken", "</s>", 0)]
    special = {name: {"id": name, "ids": [words[name]], "tokens": [name]} for name in ("<s>", "</s>")}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": words[name], "content": name, **flags} for name in SPECIALS],
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": single,
            "pair": [*single, *second],
            "special_tokens": special,
        }
        if pairs
        else None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": words,
            "merges": [],
        },
    }


def write(folder: Path, config: dict, pairs: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    told = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "model_max_length": 512,
    }
    files = {"config.json": {**COMMON, **config}, "tokenizer.json": tokenizer(pairs), "tokenizer_config.json": told}
    for name, data in files.items():
        (folder / name).write_text(json.dumps(data, indent=1), encoding="utf-8")


def main() -> None:
    root = Path(sys.argv[1])
    write(root / "llm", LLM, pairs=False)
    write(root / "embed", {**ENCODER, **EMBED}, pairs=True)
    write(root / "rerank", {**ENCODER, **RERANK}, pairs=True)


if __name__ == "__main__":
    main()
