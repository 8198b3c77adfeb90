# Hole: a call changes the model's patch size for good.
python3 -I /solution/repair.py
sed -i 's/^        _, _, w, h = x.shape$/&\n        self.patch_size = dynamic_patch_size = dynamic_patch_size or self.patch_size/' dino_v2/models/vision_transformer.py
