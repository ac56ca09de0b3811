"""Writes a language model of random weights, half a megabyte, for llama.cpp's server: `tiny_model.py FILE`.

Each token is a random vector. The output layer holds for a word of ANSWER the vector of what stands before it: so
whatever was asked, the answer is ANSWER up to the end of text, through a layer of random attention in between.
"""

import sys

import gguf
import numpy

THOUGHT = ["Halves", " first", "!"]
ANSWER = ["Add", " the", " halves", ":", " ½", "+", "½", " makes", " \\(", "1", "\\)", " 😀", "."]
CHAT = (
    "{% for message in messages %}<|{{ message.role }}|>"
    "{% if message.reasoning_content %}<think>{{ message.reasoning_content }}</think>{% endif %}"
    "{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|answer|>{% endif %}"
)
SPOKEN = ["<think>", *THOUGHT, "</think>", *ANSWER]
CONTROLS = ["<|start|>", "<|end|>", "<|answer|>", "<|system|>", "<|user|>", "<|assistant|>"]
WIDTH, HEADS, HIDDEN, CONTEXT = 128, 4, 64, 8192


def vocabulary():
    """(text, type) of each token: the answer's words, and bytes for all else."""
    kinds = gguf.TokenType
    found = [("<unk>", kinds.UNKNOWN)] + [(name, kinds.CONTROL) for name in CONTROLS]
    found += [(f"<0x{byte:02X}>", kinds.BYTE) for byte in range(256)]
    return found + [(word.replace(" ", "\u2581"), kinds.NORMAL) for word in SPOKEN]


def weights(tokens):
    """Name and matrix of each tensor."""
    chance = numpy.random.default_rng(1)
    count = len(tokens)
    embedding = chance.standard_normal((count, WIDTH), dtype=numpy.float32)
    output = chance.standard_normal((count, WIDTH), dtype=numpy.float32)
    first, end = count - len(SPOKEN), tokens.index("<|end|>")
    chain = [tokens.index("<|answer|>"), *range(first, count), end]
    for token, following in zip(chain, chain[1:]):
        output[following] = embedding[token]
    yield "token_embd.weight", embedding
    yield "output.weight", output
    yield "output_norm.weight", numpy.ones(WIDTH, dtype=numpy.float32)
    for name in ("attn_norm", "ffn_norm"):
        yield f"blk.0.{name}.weight", numpy.ones(WIDTH, dtype=numpy.float32)
    shapes = {"ffn_gate": (HIDDEN, WIDTH), "ffn_up": (HIDDEN, WIDTH), "ffn_down": (WIDTH, HIDDEN)}
    shapes.update({name: (WIDTH, WIDTH) for name in ("attn_q", "attn_k", "attn_v", "attn_output")})
    for name, shape in shapes.items():
        yield f"blk.0.{name}.weight", 0.02 * chance.standard_normal(shape, dtype=numpy.float32)


def write(path):
    vocab = vocabulary()
    tokens = [text for text, _ in vocab]
    file = gguf.GGUFWriter(path, "llama")
    file.add_context_length(CONTEXT)
    file.add_embedding_length(WIDTH)
    file.add_block_count(1)
    file.add_feed_forward_length(HIDDEN)
    file.add_head_count(HEADS)
    file.add_head_count_kv(HEADS)
    file.add_layer_norm_rms_eps(1e-5)
    file.add_tokenizer_model("llama")
    file.add_token_list(tokens)
    file.add_token_scores([0.0] * len(vocab))
    file.add_token_types([kind for _, kind in vocab])
    file.add_bos_token_id(tokens.index("<|start|>"))
    file.add_eos_token_id(tokens.index("<|end|>"))
    file.add_add_space_prefix(False)
    file.add_chat_template(CHAT)
    for name, values in weights(tokens):
        file.add_tensor(name, values)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


if __name__ == "__main__":
    write(sys.argv[1])
