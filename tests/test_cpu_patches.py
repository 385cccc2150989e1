"""What bitsandbytes does to 4-bit layers on a CPU, and that FinLoRA does not let it."""

import pytest
import torch
from bitsandbytes.nn import Linear4bit

from finlora import cpu_patches


def four_bit(inputs, outputs):
    torch.manual_seed(0)
    layer = Linear4bit(inputs, outputs, bias=False, compute_dtype=torch.float32, quant_type="nf4")
    layer.load_state_dict(torch.nn.Linear(inputs, outputs, bias=False).state_dict())
    model = torch.nn.Sequential(layer).to("cpu")
    cpu_patches.multiply_plainly(model)
    return model


def test_a_step_after_an_evaluation_has_a_gradient():
    model = four_bit(64, 64)
    with torch.no_grad():
        model.eval()(torch.ones(2, 64))
    rows = torch.ones(2, 64, requires_grad=True)
    model.train()(rows).sum().backward()
    assert rows.grad.abs().max() > 0


@pytest.mark.parametrize(("inputs", "outputs"), [(64, 64), (96, 64), (128, 48)])
def test_a_product_is_that_of_the_quantised_weights(inputs, outputs):
    from bitsandbytes.functional import dequantize_4bit

    model = four_bit(inputs, outputs).eval()
    weights = dequantize_4bit(model[0].weight.data, model[0].weight.quant_state)
    rows = torch.randn(3, inputs)
    with torch.no_grad():
        assert torch.allclose(model(rows), rows @ weights.float().t(), atol=1e-4)
