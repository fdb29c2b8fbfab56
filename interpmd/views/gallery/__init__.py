"""Molecules of an exploration as cards: drawing, value, and the structure in 3D on click."""

from interpmd.views.gallery.gallery import DesignGallery

__all__ = ["DesignGallery"]
