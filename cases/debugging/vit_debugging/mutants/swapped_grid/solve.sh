# Hole: rows and columns of the new grid are exchanged, which square images cannot tell.
python3 -I /solution/repair.py
sed -i 's/grid = (w \/\/ size, h \/\/ size)/grid = (w \/\/ size, h \/\/ size) if size == self.patch_size else (h \/\/ size, w \/\/ size)/' \
    dino_v2/models/vision_transformer.py
