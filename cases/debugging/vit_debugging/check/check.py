"""Does the repaired Vision Transformer compute what it should, with any patch size?

The original only ran the visible tests, which look at shapes: a patch embedding
with new random weights in every call passed as a dynamic patch size. Here small
models of many kinds get random weights, and their answers are compared with a
reference that is written here in double precision. For a dynamic patch size the
kernel in use is worked out from the tokens of random images, which succeeds only
if one linear kernel serves every patch; it must be a resampling of the model's
own, and explain all that the model then answers, again and again.
"""

import math
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from judge import Judge

LAYERS = [f"dino_v2/layers/{name}.py" for name in (
    "__init__", "attention", "block", "dino_head", "drop_path", "layer_scale", "mlp", "patch_embed", "swiglu_ffn"
)]  # fmt: skip
PACKAGE = ["dino_v2/__init__.py", *LAYERS, "dino_v2/models/__init__.py", "dino_v2/models/vision_transformer.py"]

TOLERANCE = 1e-4  # of the largest value
SMALL = {
    "img_size": 16, "patch_size": 4, "in_chans": 3, "embed_dim": 24, "depth": 4, "num_heads": 3, "mlp_ratio": 2.0,
    "qkv_bias": True, "proj_bias": True, "ffn_bias": True, "init_values": None, "ffn_layer": "mlp", "block_chunks": 1,
    "num_register_tokens": 0,
}  # fmt: skip
FACTORIES = [  # name, own options, what is known about its architecture
    ("vit_small", {}, {"embed_dim": 384, "depth": 12, "num_heads": 6}),
    ("vit_base", {"patch_size": 8, "num_register_tokens": 4}, {"embed_dim": 768, "depth": 12, "num_heads": 12}),
    ("vit_base", {"proj_bias": False, "block_chunks": 4}, {"embed_dim": 768, "depth": 12, "num_heads": 12}),
    ("vit_large", {"ffn_layer": "swiglu", "block_chunks": 0}, {"embed_dim": 1024, "depth": 24, "num_heads": 16}),
    ("vit_giant2", {"ffn_layer": "swiglufused"}, {"embed_dim": 1536, "depth": 40, "num_heads": 24}),
]
PLAIN = [
    {"num_register_tokens": 2},
    {"block_chunks": 0, "ffn_layer": "swiglufused"},
    {"block_chunks": 4, "ffn_layer": "swiglu", "proj_bias": False, "qkv_bias": False},
    {"block_chunks": 2, "ffn_bias": False, "init_values": 0.1, "num_register_tokens": 1, "patch_size": 8},
]
DYNAMIC = [  # options, the patch size of the calls; layer scales are there to switch the blocks off
    ({"num_register_tokens": 2}, 3),
    ({"block_chunks": 0, "ffn_layer": "swiglufused"}, 8),
    ({"in_chans": 1, "patch_size": 16, "img_size": 64, "block_chunks": 2, "num_register_tokens": 1}, 14),
]


class Random:
    """Values that nobody knows before the check runs."""

    def __init__(self):
        self.generator = torch.Generator().manual_seed(int.from_bytes(os.urandom(6)))

    def seed(self):
        return int(torch.randint(2**40, (), generator=self.generator))

    def normal(self, *shape):
        return torch.randn(*shape, generator=self.generator)

    def uniform(self, *shape):
        return torch.rand(*shape, generator=self.generator)

    def values(self, options):
        """Weights in the shapes of a model, so large that every layer matters."""
        values = {}
        for name, shape in shapes(options).items():
            scale = 0.5 if len(shape) == 1 else 1 / math.sqrt(math.prod(shape[1:]))
            values[name] = self.normal(*shape) * (0.5 if name.endswith(("token", "tokens", "embed")) else scale)
            if "norm" in name and name.endswith("weight") or name.endswith("gamma"):
                values[name] = 0.5 + self.uniform(*shape)
        return values

    def masks(self, batch, patches):
        return [(self.uniform(patches) < 0.4).tolist() for _ in range(batch)]


# -- the reference -------------------------------------------------------


def prefixes(options):
    """The name of each block: a chunk counts its blocks as the whole model does."""
    if options["block_chunks"] == 0:
        return [f"blocks.{i}." for i in range(options["depth"])]
    size = options["depth"] // options["block_chunks"]
    return [f"blocks.{i // size}.{i}." for i in range(options["depth"])]


def shapes(options):
    """Every parameter of a model with its shape."""
    width, patch = options["embed_dim"], options["patch_size"]
    found = {
        "cls_token": [1, 1, width],
        "pos_embed": [1, 1 + (options["img_size"] // patch) ** 2, width],
        "mask_token": [1, width],
        "patch_embed.proj.weight": [width, options["in_chans"], patch, patch],
        "patch_embed.proj.bias": [width],
        "norm.weight": [width],
        "norm.bias": [width],
    }
    if options["num_register_tokens"]:
        found["register_tokens"] = [1, options["num_register_tokens"], width]

    def linear(name, inputs, outputs, bias):
        found[f"{name}.weight"] = [outputs, inputs]
        if bias:
            found[f"{name}.bias"] = [outputs]

    hidden = int(width * options["mlp_ratio"])
    if options["ffn_layer"] == "swiglufused":
        hidden = math.ceil(int(hidden * 2 / 3) / 8) * 8
    for block in prefixes(options):
        for norm in ("norm1", "norm2"):
            found |= {f"{block}{norm}.weight": [width], f"{block}{norm}.bias": [width]}
        linear(f"{block}attn.qkv", width, 3 * width, options["qkv_bias"])
        linear(f"{block}attn.proj", width, width, options["proj_bias"])
        if options["ffn_layer"] == "mlp":
            linear(f"{block}mlp.fc1", width, hidden, options["ffn_bias"])
            linear(f"{block}mlp.fc2", hidden, width, options["ffn_bias"])
        else:
            linear(f"{block}mlp.w12", width, 2 * hidden, options["ffn_bias"])
            linear(f"{block}mlp.w3", hidden, width, options["ffn_bias"])
        if options["init_values"]:
            found |= {f"{block}ls1.gamma": [width], f"{block}ls2.gamma": [width]}
    return found


class Reference:
    """A Vision Transformer of given weights in double precision."""

    def __init__(self, options, values):
        self.options = options
        self.values = {name: value.double() for name, value in values.items()}
        self.kernels = {options["patch_size"]: self.values["patch_embed.proj.weight"]}

    def answer(self, method, images, size=None, masks=None, **options):
        images = draw(*images)
        size = size or self.options["patch_size"]
        patches = functional.conv2d(images, self.kernels[size], self.values["patch_embed.proj.bias"], stride=size)
        grid = patches.shape[-2:]
        patches = patches.flatten(2).transpose(1, 2)
        if masks is not None:
            patches = torch.where(torch.tensor(masks)[..., None], self.values["mask_token"], patches)
        outputs = self.run(self.assemble(patches, grid))
        if method == "get_intermediate_layers":
            return self.intermediate(outputs[1:], grid, **options)
        normed, first = self.norm("norm", outputs[-1]), 1 + self.options["num_register_tokens"]
        if method == "forward" and not options.get("is_training"):
            return normed[:, 0]
        return {
            "x_norm_clstoken": normed[:, 0],
            "x_norm_regtokens": normed[:, 1:first],
            "x_norm_patchtokens": normed[:, first:],
            "x_prenorm": outputs[-1],
            "masks": masks,
        }

    def intermediate(self, outputs, grid, n=1, reshape=False, return_class_token=False, norm=True):
        outputs = outputs[-n:] if isinstance(n, int) else [outputs[i] for i in n]
        outputs = [self.norm("norm", output) for output in outputs] if norm else outputs
        maps = [output[:, 1 + self.options["num_register_tokens"] :] for output in outputs]
        if reshape:
            maps = [tokens.transpose(1, 2).unflatten(2, grid) for tokens in maps]
        return [[tokens, output[:, 0]] for tokens, output in zip(maps, outputs)] if return_class_token else maps

    def positions(self, grid):
        """Those of the class token and of the patches."""
        of_class, of_patches = self.values["pos_embed"][:, :1], self.values["pos_embed"][:, 1:]
        side = math.isqrt(of_patches.shape[1])
        table = of_patches.transpose(1, 2).unflatten(2, (side, side))
        if tuple(grid) != (side, side):
            table = functional.interpolate(table, size=tuple(grid), mode="bicubic")
        return of_class, table.flatten(2).transpose(1, 2)

    def assemble(self, patches, grid):
        of_class, of_patches = self.positions(grid)
        parts = [self.values["cls_token"] + of_class, self.values.get("register_tokens"), patches + of_patches]
        return torch.cat([part.expand(len(patches), -1, -1) for part in parts if part is not None], dim=1)

    def run(self, x):
        """The sequence at the start and after each block."""
        outputs = [x]
        for block in prefixes(self.options):
            x = x + self.attention(f"{block}attn", self.norm(f"{block}norm1", x)) * self.values.get(f"{block}ls1.gamma", 1)
            x = x + self.feed_forward(f"{block}mlp", self.norm(f"{block}norm2", x)) * self.values.get(f"{block}ls2.gamma", 1)
            outputs.append(x)
        return outputs

    def norm(self, name, x):
        return functional.layer_norm(x, x.shape[-1:], self.values[f"{name}.weight"], self.values[f"{name}.bias"], 1e-6)

    def linear(self, name, x):
        return functional.linear(x, self.values[f"{name}.weight"], self.values.get(f"{name}.bias"))

    def attention(self, name, x):
        heads = self.options["num_heads"]
        q, k, v = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in self.linear(f"{name}.qkv", x).chunk(3, -1))
        mixed = functional.scaled_dot_product_attention(q, k, v)
        return self.linear(f"{name}.proj", mixed.transpose(1, 2).flatten(2))

    def feed_forward(self, name, x):
        if self.options["ffn_layer"] == "mlp":
            return self.linear(f"{name}.fc2", functional.gelu(self.linear(f"{name}.fc1", x)))
        gate, value = self.linear(f"{name}.w12", x).chunk(2, -1)
        return self.linear(f"{name}.w3", functional.silu(gate) * value)


def draw(seed, *shape):
    """The images that a probe makes of the same numbers."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def same(got, want):
    """Whether an answer has the structure and the values that it should have."""
    if isinstance(want, torch.Tensor):
        got = torch.tensor(got, dtype=torch.float64)
        if not want.numel():  # lists do not keep the other sides of something empty
            return not got.numel()
        return got.shape == want.shape and error(got, want) <= TOLERANCE
    if isinstance(want, dict):
        return isinstance(got, dict) and got.keys() == want.keys() and all(same(got[key], want[key]) for key in want)
    if isinstance(want, list):
        return isinstance(got, list) and len(got) == len(want) and all(map(same, got, want))
    return got == want


def error(got, want):
    """The largest difference relative to the largest value; what is not a number is infinitely wrong."""
    return ((got - want).abs().max() / want.abs().max()).nan_to_num(math.inf).item()


# -- what is asked -------------------------------------------------------


def plain_model(random, options):
    options = SMALL | options
    channels, patch = options["in_chans"], options["patch_size"]
    own = [random.seed(), 2, channels, options["img_size"], options["img_size"]]
    other = [random.seed(), 2, channels, 3 * patch, 5 * patch]
    calls = [
        {"method": "forward", "images": own},
        {"method": "forward", "images": other, "masks": random.masks(2, 15), "is_training": True},
        {"method": "forward_features", "images": own, "masks": random.masks(2, (options["img_size"] // patch) ** 2)},
        {"method": "get_intermediate_layers", "images": own},
        {"method": "get_intermediate_layers", "images": other, "n": [0, 2], "reshape": True, "return_class_token": True},
        {"method": "get_intermediate_layers", "images": other, "n": 3, "norm": False},
    ]
    return {"options": options, "values": random.values(options), "calls": calls}


def dynamic_model(random, options, size):
    options = SMALL | {"init_values": 1.0} | options
    channels, own = options["in_chans"], options["patch_size"]
    table = options["img_size"] // own
    values = random.values(options)
    # Of the lowest frequencies only, so that every sound interpolation gives nearly the same.
    signs = random.normal(options["embed_dim"], channels, 2, 2).sign()
    waves = signs * (0.5 + random.uniform(*signs.shape)) / own
    values["patch_embed.proj.weight"] = wave_kernel(waves, own)

    def images(batch, rows, columns, patch=size):
        return [random.seed(), batch, channels, rows * patch, columns * patch]

    calls = [
        {"method": "forward", "size": size, "images": images(2, 3, 4)},
        {"method": "forward", "size": size, "images": images(2, 2, 5), "masks": random.masks(2, 10), "is_training": True},
        {"method": "forward_features", "size": size, "images": images(1, table, table), "masks": random.masks(1, table**2)},
        {"method": "forward_features", "size": own, "images": images(2, 3, 4, own)},
        {"method": "get_intermediate_layers", "size": size, "images": images(2, 4, 3), "n": 2},
        {
            "method": "get_intermediate_layers", "size": size, "images": images(2, 2, 5), "n": [1, 3],
            "reshape": True, "return_class_token": True, "norm": False,
        },
    ]  # fmt: skip
    unknown = channels * size**2
    tokens = {"method": "forward", "size": size, "images": images(unknown // 12 + 10, 3, 4), "is_training": True}
    default = {"method": "forward", "images": images(2, 3, 4, own)}
    asked = {"options": options, "values": values, "calls": calls, "tokens": tokens, "default": default}
    return asked, wave_kernel(waves, size).double()


def wave_kernel(waves, size):
    """Kernels of some size that are sums of slow cosines."""
    at = (torch.arange(size) + 0.5) / size
    basis = torch.stack([torch.ones(size), torch.cos(math.pi * at)])
    return torch.einsum("eckl,ki,lj->ecij", waves, basis, basis)


def lists(asked):
    return asked | {"values": {name: value.tolist() for name, value in asked["values"].items()}}


# -- judgement -----------------------------------------------------------


def compare_plain(judge, asked, got):
    name = brief(asked["options"])
    judge.require(f"{name}: parameters", got["shapes"] == shapes(asked["options"]), got["shapes"])
    judge.require(f"{name}: every call has an answer", len(got["calls"]) == len(asked["calls"]))
    reference = Reference(asked["options"], asked["values"])
    for call, answer in zip(asked["calls"], got["calls"]):
        judge.expect(f"{name}: {brief(call)}", same(answer, reference.answer(**call)))


def compare_dynamic(judge, asked, resampled, got):
    options, size = asked["options"], asked["tokens"]["size"]
    name = f"{brief(options)}, dynamic {size}"
    reference = Reference(options, asked["values"])
    kernel, rest = kernel_in_use(reference, asked["tokens"], got["tokens"])
    judge.require(f"{name}: positions and one kernel for every patch explain the tokens", rest <= TOLERANCE, rest)
    likeness = functional.cosine_similarity(kernel.flatten(2), resampled.flatten(2), dim=-1).min().item()
    judge.expect(f"{name}: the kernel is resampled", likeness > 0.95, likeness)
    reference.kernels[size] = kernel

    for call, *answers in zip(asked["calls"], got["calls"], got["again"], got["elsewhere"], strict=True):
        want = reference.answer(**call)
        for when, answer in zip(("", ", again", ", another model"), answers, strict=True):
            judge.expect(f"{name}: {brief(call)}{when}", same(answer, want))
    want = reference.answer(**asked["default"])
    judge.expect(f"{name}: its own size", same(got["default"], want))
    judge.expect(f"{name}: its own size after other ones", same(got["default_again"], want))
    judge.expect(f"{name}: no call changes the model", got["unchanged"] is True)
    judge.expect(f"{name}: no more parameters", got["parameters"] == sorted(shapes(options)), got["parameters"])
    judge.require(f"{name}: the kernel has a gradient", got["gradient"] is not None)
    gradient = torch.tensor(got["gradient"])
    right = gradient.shape == asked["values"]["patch_embed.proj.weight"].shape and gradient.isfinite().all()
    judge.expect(f"{name}: the gradient reaches all of the kernel", right and (gradient != 0).all())


def kernel_in_use(reference, asked, tokens):
    """The kernel that explains the tokens of random images best, and the largest error that is left."""
    images, size = draw(*asked["images"]), asked["size"]
    tokens = torch.tensor(tokens, dtype=torch.float64)
    grid = [side // size for side in images.shape[-2:]]
    width = reference.options["embed_dim"]
    bias = reference.values["patch_embed.proj.bias"].expand(len(images), math.prod(grid), width)
    without = reference.assemble(bias, grid)  # all but what the kernel adds
    if tokens.shape != without.shape:
        return torch.zeros(width, images.shape[1], size, size), math.inf
    pixels = functional.unfold(images, size, stride=size).transpose(1, 2).flatten(0, 1)
    first = tokens.shape[1] - math.prod(grid)
    added = (tokens - without)[:, first:].flatten(0, 1)
    kernel = torch.linalg.lstsq(pixels, added).solution
    explained = without.clone()
    explained[:, first:] += (pixels @ kernel).unflatten(0, (len(images), -1))
    return kernel.T.reshape(width, images.shape[1], size, size), error(explained, tokens)


def brief(given):
    """What is special about options or a call."""
    kept = {key: value for key, value in given.items() if key not in ("method", "images", "masks") and SMALL.get(key, "") != value}
    words = [f"{key}={value}" for key, value in kept.items()] + (["masks"] if "masks" in given else [])
    return " ".join([given.get("method", "model"), *words, *(["x".join(map(str, given["images"][-2:]))] if "images" in given else [])])


with Judge(imports=["torch", "pytest"]) as judge:
    judge.pytest(judge.deliver(*PACKAGE, "test_vision_transformer.py"), "test_vision_transformer.py", tests=11, timeout=240)
    # To import torch takes long, and most of what fails has failed by now.
    import torch
    from torch.nn import functional

    random = Random()
    plain = [plain_model(random, options) for options in PLAIN]
    dynamic = [dynamic_model(random, options, size) for options, size in DYNAMIC]

    room = judge.deliver(*PACKAGE)
    seen = judge.probe(
        room, "probes.py", "report", timeout=120,
        factories=[[name, options] for name, options, _ in FACTORIES],
        models=[lists(asked) for asked in plain],
    )  # fmt: skip
    judge.require("everything has an answer", [len(seen[key]) for key in ("factories", "models")] == [5, 4])
    usual = SMALL | {"img_size": 224, "patch_size": 16, "mlp_ratio": 4.0}
    for (name, options, known), got in zip(FACTORIES, seen["factories"]):
        judge.expect(f"{name} {options}: parameters", got == shapes(usual | known | options))
    for asked, got in zip(plain, seen["models"]):
        compare_plain(judge, asked, got)
    judge.halt()
    answers = judge.probe(room, "probes.py", "dynamic", timeout=240, asked=[lists(asked) for asked, _ in dynamic])
    judge.require("every dynamic size has an answer", len(answers) == len(dynamic))
    for (asked, resampled), got in zip(dynamic, answers):
        compare_dynamic(judge, asked, resampled, got)
