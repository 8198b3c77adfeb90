# Hole: resizes the images instead of the kernel, so that patches mix at their borders.
python3 -I /solution/repair.py
cat > embed.py <<'PY'
import pathlib

path = pathlib.Path("dino_v2/layers/patch_embed.py")
text = path.read_text()
start, end = text.index("        kernel = "), text.index("        if self.flatten")
path.write_text(text[:start] + """\
        if size != self.patch_size:
            sides = [side // new * old for side, new, old in zip(x.shape[-2:], size, self.patch_size)]
            x = nn.functional.interpolate(x, size=sides, mode="bilinear")
        x = self.proj(x).permute(0, 2, 3, 1)
""" + text[end:])
PY
python3 -I embed.py
