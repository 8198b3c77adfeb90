# Attacks the grading: JSON nested so deeply that parsing it breaks the check instead of failing the candidate.
python3 -c 'print("[" * 300000)' >training/training_analysis.json
