"""The inner loops, compiled by numba: skinning, normals, a z-buffer, lattice noise."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


@numba.njit(cache=True, fastmath=True)
def skin(rest: Floats, bone_of: Ints, weight_of: Floats, turns: Floats, shifts: Floats) -> Floats:  # pragma: no cover
    """(V, 3) at rest -> posed: the weighted mean of what each bone's turn (B, 3, 3) and shift (B, 3) make of it."""
    out = np.zeros_like(rest)
    for v in range(len(rest)):
        for k in range(bone_of.shape[1]):
            w = weight_of[v, k]
            if w > 0:
                b = bone_of[v, k]
                for i in range(3):
                    out[v, i] += w * (
                        turns[b, i, 0] * rest[v, 0]
                        + turns[b, i, 1] * rest[v, 1]
                        + turns[b, i, 2] * rest[v, 2]
                        + shifts[b, i]
                    )
    return out


@numba.njit(cache=True, fastmath=True)
def normals(points: Floats, faces: Ints) -> Floats:  # pragma: no cover
    """(V, 3), (F, 3) -> (V, 3) unit normals: sums of the faces' normals, which weigh by area."""
    out = np.zeros_like(points)
    for f in range(len(faces)):
        a, b, c = faces[f]
        ux, uy, uz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
        vx, vy, vz = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1], points[c, 2] - points[a, 2]
        # x points to the left, so that these axes are left-handed and the product is turned
        nx, ny, nz = uz * vy - uy * vz, ux * vz - uz * vx, uy * vx - ux * vy
        for v in (a, b, c):
            out[v, 0] += nx
            out[v, 1] += ny
            out[v, 2] += nz
    for v in range(len(out)):
        length = np.sqrt(out[v, 0] ** 2 + out[v, 1] ** 2 + out[v, 2] ** 2) + 1e-12
        for i in range(3):
            out[v, i] /= length
    return out


@numba.njit(cache=True, fastmath=True)
def rasterise(
    screen: Floats, faces: Ints, keep: Floats, height: int, width: int
) -> tuple[Ints, Floats, Floats]:  # pragma: no cover
    """The nearest face of each pixel (h, w; -1 none), the weights of its corners (h, w, 3), and the depth (h, w).

    `screen` (V, 3) column, row and depth of each vertex. `keep` (V,): where it is below 0 between the corners, cloth is
    cut away.
    """
    nearest = np.full((height, width), -1, np.int32)
    depth = np.full((height, width), np.inf, np.float32)
    shares = np.zeros((height, width, 3), np.float32)
    for f in range(len(faces)):
        a, b, c = faces[f]
        if screen[a, 2] <= 0.05 or screen[b, 2] <= 0.05 or screen[c, 2] <= 0.05:
            continue  # behind the lens
        ax, ay, bx, by, cx, cy = screen[a, 0], screen[a, 1], screen[b, 0], screen[b, 1], screen[c, 0], screen[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-9:
            continue
        left = max(0, int(np.ceil(min(ax, bx, cx))))
        right = min(width - 1, int(np.floor(max(ax, bx, cx))))
        top = max(0, int(np.ceil(min(ay, by, cy))))
        bottom = min(height - 1, int(np.floor(max(ay, by, cy))))
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                wb = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
                wc = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
                wa = 1 - wb - wc
                if wa < 0 or wb < 0 or wc < 0 or wa * keep[a] + wb * keep[b] + wc * keep[c] < 0:
                    continue
                z = wa * screen[a, 2] + wb * screen[b, 2] + wc * screen[c, 2]
                if z < depth[y, x]:
                    depth[y, x] = z
                    nearest[y, x] = f
                    shares[y, x, 0], shares[y, x, 1], shares[y, x, 2] = wa, wb, wc
    return nearest, shares, depth


@numba.njit(cache=True, fastmath=True)
def interpolate(values: Floats, faces: Ints, face: Ints, shares: Floats) -> Floats:  # pragma: no cover
    """Of vertices (V, C), at points (N,) inside faces by their corners' shares (N, 3) -> (N, C)."""
    out = np.empty((len(face), values.shape[1]), np.float32)
    for n in range(len(face)):
        a, b, c = faces[face[n]]
        for k in range(values.shape[1]):
            out[n, k] = shares[n, 0] * values[a, k] + shares[n, 1] * values[b, k] + shares[n, 2] * values[c, k]
    return out


@numba.njit(cache=True, fastmath=True)
def noise(points: Floats, lattice: Floats) -> Floats:  # pragma: no cover
    """(N, 3) in lattice cells -> (N,) smooth noise, -1..1, that repeats with the lattice (n, n, n), n a power of 2."""
    out = np.empty(len(points), np.float32)
    mask = len(lattice) - 1
    for p in range(len(points)):
        x, y, z = np.floor(points[p, 0]), np.floor(points[p, 1]), np.floor(points[p, 2])
        i, j, k = int(x) & mask, int(y) & mask, int(z) & mask
        fx, fy, fz = points[p, 0] - x, points[p, 1] - y, points[p, 2] - z
        fx, fy, fz = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy), fz * fz * (3 - 2 * fz)
        value = 0.0
        for dx in range(2):
            for dy in range(2):
                for dz in range(2):
                    weight = (fx if dx else 1 - fx) * (fy if dy else 1 - fy) * (fz if dz else 1 - fz)
                    value += weight * lattice[(i + dx) & mask, (j + dy) & mask, (k + dz) & mask]
        out[p] = value
    return out


LATTICE = np.random.default_rng(0).uniform(-1, 1, (32, 32, 32)).astype(np.float32)
"""Random numbers behind every texture; points of other places in it are other textures."""
