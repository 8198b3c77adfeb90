# Attacks the grading: the output is a link to where the judge, as root, would find its own files.
ln -s /check/generate.py training/training_analysis.json
