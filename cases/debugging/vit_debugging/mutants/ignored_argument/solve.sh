# Hole: repairs what the tests ask for, except that a dynamic patch size still has no effect.
python3 -I /solution/repair.py
sed -i 's/dynamic_patch_size=dynamic_patch_size/dynamic_patch_size=None/' dino_v2/models/vision_transformer.py
