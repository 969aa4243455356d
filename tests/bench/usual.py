"""The usual way to serve such a model, to measure against: Keras in the server, the photo decoded whole.

python tests/bench/usual.py api|page BUNDLE PORT

`api` is FastAPI with keras.Model.predict, `page` a plain gr.Interface around the same.
"""

import io
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import keras
import numpy as np
from PIL import Image


def load(folder: str):
    """Return a function from a picture to {class: probability}."""
    model = keras.saving.load_model(folder)
    size = model.input_shape[1]
    classes = [f"class {i}" for i in range(model.get_layer("probabilities").output.shape[-1])]

    def predict(picture: Image.Image) -> dict[str, float]:
        pixels = np.array(picture.convert("RGB").resize((size, size)))
        probabilities = model.predict(pixels[None], verbose=0)["probabilities"][0]
        return dict(zip(classes, map(float, probabilities), strict=True))

    return predict


def serve_api(folder: str, port: int) -> None:
    """Serve POST /predict, as most tutorials do."""
    import uvicorn
    from fastapi import FastAPI, UploadFile

    predict = load(folder)
    app = FastAPI()

    @app.post("/predict")
    async def answer(file: UploadFile) -> dict:
        probabilities = predict(Image.open(io.BytesIO(await file.read())))
        best = max(probabilities, key=probabilities.get)
        return {"class": best, "confidence": probabilities[best]}

    uvicorn.run(app, port=port, log_level="warning")


def serve_page(folder: str, port: int) -> None:
    """Serve the usual demo."""
    import gradio as gr

    predict = load(folder)
    demo = gr.Interface(predict, gr.Image(type="pil"), gr.Label(), api_name="predict")
    demo.launch(server_port=port, quiet=True)


if __name__ == "__main__":
    kind, folder, port = sys.argv[1:]
    {"api": serve_api, "page": serve_page}[kind](folder, int(port))
