sed -i 's/ - 1\]/]/' pages.py
