# Hole: changes the convolutions until the wrong layer fits.
sed -i '0,/padding=1/s//padding=1, stride=7/' classifier_model.py
