"""Number types in which a network computes, and its preparation for inference."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import torch
from torch import nn

from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.model.layers import ConvNorm
from napari_sam_decoder.model.quantised import multiplies_int8

if TYPE_CHECKING:
    from napari_sam_decoder.model.sam import Sam

__all__ = ["Precision", "choose_precision", "prepare_for_inference"]


_FIRST_WITH_BFLOAT16 = (8, 0)
"""Compute capability of the first CUDA cards with bfloat16 matrix units (Ampere)."""
_BFLOAT16_PRODUCTS = "_is_amx_tile_supported", "_is_avx512_bf16_supported"
"""What torch is asked about a processor."""


class Precision(StrEnum):
    """Number types in which a network can compute.

    `INT8` is that of the products of the image encoder; all else is float32 then.
    """

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    INT8 = "int8"

    @property
    def dtype(self) -> torch.dtype:
        """Number type of weights and features; what `INT8` multiplies is apart."""
        kept = Precision.FLOAT32 if self is Precision.INT8 else self
        dtype: torch.dtype = getattr(torch, kept.value)
        return dtype

    @classmethod
    def of(cls, name: str) -> Precision:
        """Return the precision of that name.

        Parameters
        ----------
        name : str
            A value of this enumeration.

        Returns
        -------
        Precision

        Raises
        ------
        OptionError
            If there is none.
        """
        try:
            return cls(name)
        except ValueError:
            raise OptionError(
                f"there is no precision {name!r}; choose one of {', '.join(cls)}"
            ) from None


def choose_precision(
    name: str, device: torch.device, *, is_calibrated: bool = False
) -> Precision:
    """Choose in which number type a network computes.

    Parameters
    ----------
    name : str
        A `Precision`; "auto" for the fastest one that is safe on the device.
    device : torch.device
        Where the network will be.
    is_calibrated : bool
        Whether the ranges are known that int8 needs.

    Returns
    -------
    Precision
        Any but `Precision.AUTO`.

    Raises
    ------
    OptionError
        If there is no such precision, the device cannot compute in it, or int8 is asked
        for and the network is not calibrated.

    Notes
    -----
    On a CPU, "auto" is bfloat16 if the processor has products of it, in matrix units
    (AMX) or vectors (AVX512_BF16); else int8 if it multiplies that, and the network is
    calibrated; else float32. On CUDA, bfloat16 has the range of float32; cards without
    it have float16. On MPS only float32 was tried.
    """
    precision = Precision.of(name)
    if precision is Precision.AUTO:
        return _fastest(device, is_calibrated)
    if precision is Precision.FLOAT16 and device.type == "cpu":
        raise OptionError(
            "float16 is for GPUs: CPUs compute in it slowly; choose 'auto', "
            "'bfloat16' or 'float32'"
        )
    if precision is Precision.INT8:
        _require_int8(device, is_calibrated)
    return precision


def _require_int8(device: torch.device, is_calibrated: bool) -> None:
    if not is_calibrated:
        raise OptionError(
            "int8 is for the bundled model only, whose ranges were measured; choose "
            "'auto'"
        )
    if not _multiplies_int8(device):
        raise OptionError(
            "int8 is for processors that multiply it (AVX512_VNNI or AVX_VNNI), with a "
            "recent torch; choose 'auto'"
        )


def _fastest(device: torch.device, is_calibrated: bool) -> Precision:
    if device.type == "cpu" and _multiplies_bfloat16():
        return Precision.BFLOAT16
    if is_calibrated and _multiplies_int8(device):
        return Precision.INT8
    if device.type == "cuda":
        is_recent = torch.cuda.get_device_capability(device) >= _FIRST_WITH_BFLOAT16
        return Precision.BFLOAT16 if is_recent else Precision.FLOAT16
    return Precision.FLOAT32


def _multiplies_int8(device: torch.device) -> bool:
    return device.type == "cpu" and multiplies_int8()


def _multiplies_bfloat16() -> bool:
    """Whether the processor has products of bfloat16 that are not disabled in torch."""
    is_wide = torch.backends.cpu.get_cpu_capability() == "AVX512"
    return is_wide and any(map(_has, _BFLOAT16_PRODUCTS))


def _has(question: str) -> bool:
    # Not in all supported versions; without it float32 is safe.
    ask = getattr(torch.cpu, question, None)
    return ask is not None and bool(ask())


def prepare_for_inference(sam: Sam, dtype: torch.dtype) -> Sam:
    """Fold norms and choose number type and memory layout, in place.

    Parameters
    ----------
    sam : Sam
        With all weights in float32, in which norms are folded.
    dtype : torch.dtype
        Number type for the image encoder; the decoder uses it for image features, see
        `Sam.dtype`.

    Returns
    -------
    Sam
        The same one.
    """
    _fold_norms(sam.image_encoder)
    sam.image_encoder.to(dtype)
    # Convolutions are a fifth faster with channels last, and give the same numbers.
    sam.image_encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return sam


def _fold_norms(network: nn.Module) -> None:
    for name, layer in network.named_children():
        if isinstance(layer, ConvNorm):
            setattr(network, name, layer.folded())
        else:
            _fold_norms(layer)
