# Hole: the scores are right, but nothing before the linear layer can be trained.
sed -i -e 's/128 \* 16 \* 16/128 * 112 * 112/' -e 's/x = self.features(x)/&.detach()/' classifier_model.py
