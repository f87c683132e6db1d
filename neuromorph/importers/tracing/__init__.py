"""Reading torch modules by tracing them."""
