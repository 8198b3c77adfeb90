import torch

from channel_vit import ChannelViT

CHANNELS, SIDE, PATCH, DIM = 6, 224, 16, 384
PATCHES = (SIDE // PATCH) ** 2


def count(parameters):
    return sum(p.numel() for p in parameters if p.requires_grad)


def check_subset(model, first, second):
    """The same pixels, once as these channels and once as those."""
    x = torch.randn(1, len(first), SIDE, SIDE).repeat(2, 1, 1, 1)
    output = model(x, torch.tensor([first, second]))
    assert output.shape == (2, PATCHES * len(first) + 1, DIM)
    assert not torch.allclose(output[0], output[1])


@torch.no_grad()
def test_channel_vit():
    torch.manual_seed(0)
    model = ChannelViT(img_size=[SIDE], patch_size=PATCH, in_chans=CHANNELS, embed_dim=DIM, depth=12, num_heads=6)
    assert count(model.patch_embed.parameters()) == DIM * (PATCH * PATCH + 1) + DIM * CHANNELS
    assert model.pos_embed.numel() == (PATCHES + 1) * DIM
    assert model.cls_token.numel() == DIM

    assert model(torch.randn(3, CHANNELS, SIDE, SIDE)).shape == (3, PATCHES * CHANNELS + 1, DIM)
    check_subset(model, [0, 2, 4], [1, 3, 5])
    check_subset(model, [1, 4], [2, 5])
    print(f"trainable parameters: {count(model.parameters()):,}")


if __name__ == "__main__":
    test_channel_vit()
