"""A network with one output, for tools that take no dictionary.

Shapes: B batch, C channels, K classes, H W space.
"""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["TaskView"]


class TaskView(nn.Module):
    """One named output of a multi-task network as a plain tensor.

    MONAI's ``verify_net_in_out`` is such a tool: it looks at one tensor.

    Args:
        network: Network with dictionary outputs; weights are shared with it.
        task: Name of the output.
    """

    def __init__(self, network: nn.Module, task: str = "seg") -> None:
        super().__init__()
        self.network, self.task = network, task

    def forward(self, image: Tensor) -> Tensor:
        """Run the network.

        Args:
            image: ``(B, C, H, W)``.

        Returns:
            The output, such as ``(B, K, H, W)`` or ``(B, K)``.
        """
        output: Tensor = self.network(image)[self.task]
        return output
