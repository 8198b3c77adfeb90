# The max pool halves 224 to 112, so that is what the linear layer gets.
sed -i 's/128 \* 16 \* 16/128 * 112 * 112/' classifier_model.py
