"""The optimizer: Muon for the kernels of convolutions and hidden layers, AdamW for all other weights."""

import math

import keras
from keras import ops


class Muon(keras.optimizers.Muon):
    """Keras's Muon, which only knows matrices, for 3x3 kernels as well.

    It makes each kernel's update orthogonal, so that rare directions are learnt as fast as frequent ones
    (Jordan et al. 2024, kellerjordan.github.io/posts/muon); here that halves the epochs. A kernel
    [h, w, in, out] counts as a matrix [h * w * in, out], as there. Updates are scaled to the size of AdamW's
    (Liu et al. 2025, arXiv:2502.16982, section 2.2), so that both take one learning rate.
    """

    def _should_use_adamw(self, variable: keras.Variable) -> bool:
        return len(variable.shape) not in (2, 4) or "logits" in variable.path

    def zeropower_via_newtonschulz5(self, x, steps: int):
        """Return the orthogonal matrix nearest to an update, in the update's shape."""
        matrix = ops.reshape(x, (-1, x.shape[-1]))
        return ops.reshape(super().zeropower_via_newtonschulz5(matrix, steps), x.shape)

    def lr_adjust(self, x):
        """Scale an orthogonal update to the root mean square of AdamW's."""
        return x * self.rms_rate * math.sqrt(max(math.prod(x.shape[:-1]), x.shape[-1]))
