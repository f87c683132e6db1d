"""Reading ONNX: the file (`files`), the walk over its nodes (`build`), and what each operator becomes."""
