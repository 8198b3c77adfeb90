def page(rows, n, size):
    return rows[n * size : (n + 1) * size - 1]
