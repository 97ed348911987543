"""Tables, reports and models on disk: the only package that reads or writes them."""
