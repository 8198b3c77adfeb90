# Hole: another model than one Linear(1, 1), trained soundly.
sed -i -e '/^y = /a X = (X - X.mean()) / X.std()' -e 's/lr=0.01/lr=1e-5/' \
    -e 's/nn.Linear(1, 1)$/nn.Sequential(nn.Linear(1, 64), nn.Linear(64, 1))/' train.py
