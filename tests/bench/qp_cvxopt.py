#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Solves the problems qp-bench wrote with cvxopt (Debian: python3-cvxopt) and compares. The slack of a soft row is one
# variable; matrices are dense or sparse, whichever is faster on the first problem. Only the solver's call is timed.
#   qp_cvxopt.py FILE     prints: problems, median of ours in us, median of cvxopt in us, ratio, errors
import array
import statistics
import sys
import time

from cvxopt import matrix, solvers, sparse, spdiag, spmatrix

INF = float("inf")
solvers.options["show_progress"] = False

data = array.array("d")
with open(sys.argv[1], "rb") as f:
    data.frombytes(f.read())
at = 0


def take(count):
    global at
    at += count
    return data[at - count:at]


n, m, controls = (int(v) for v in take(3))
H = matrix(take(n * n), (n, n))
A = matrix(take(m * n), (n, m)).T  # rows in the file, columns in cvxopt
soft_lin, soft_quad = take(m), take(m)
soft = [i for i in range(m) if soft_lin[i] < INF]
k = len(soft)
P = spdiag([H, spdiag([soft_quad[i] for i in soft])]) if k else sparse(H)
slack = spmatrix(-1.0, soft, range(k), (m, k))
eye = spmatrix(1.0, range(n), range(n), (n, n))
none = spmatrix([], [], [], (n, k))
# x ≤ ub, −x ≤ −lb, A x − s ≤ cu, −A x − s ≤ −cl, −s ≤ 0
G = sparse([[eye, -eye, sparse(A), sparse(-A), spmatrix([], [], [], (k, n))],
            [none, none, slack, slack, spmatrix(-1.0, range(k), range(k), (k, k))]])
forms = {"sparse": (P, G)}
if n < 500:  # beyond, a solve takes minutes: one form, and no exact solution to compare with
    forms["dense"] = (matrix(P), matrix(G))


def solve(form, q, h, tight):
    solvers.options.update(dict(abstol=1e-11, reltol=1e-10, feastol=1e-10) if tight else dict(abstol=1e-7, reltol=1e-6, feastol=1e-7))
    cpu, start = time.process_time(), time.perf_counter()
    r = solvers.qp(forms[form][0], q, forms[form][1], h)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    return r["x"], 1e6 * min(wall, cpu)  # as qp-bench: the process's own time when it was interrupted


def objective(x, g, cl, cu):
    ax = A * x
    f = 0.5 * (x.T * H * x)[0] + sum(a * b for a, b in zip(g, x))
    for i in soft:
        s = max(0.0, ax[i] - cu[i], cl[i] - ax[i])
        f += soft_lin[i] * s + 0.5 * soft_quad[i] * s * s
    return f


best = None
ours, theirs, off, off_default, worse = [], [], [], [], []
while at < len(data):
    g, lb, ub, cl, cu, x = take(n), take(n), take(n), take(m), take(m), take(n)
    f, us = take(2)
    q = matrix(list(g) + [soft_lin[i] for i in soft])
    h = matrix(list(ub) + [-v for v in lb] + list(cu) + [-v for v in cl] + [0.0] * k)
    if best is None:
        best = min(forms, key=lambda form: solve(form, q, h, False)[1]) if len(forms) > 1 else "sparse"
    y, took = solve(best, q, h, False)
    exact = solve(best, q, h, True)[0] if n < 500 else y
    ours.append(us)
    theirs.append(took)
    off.append(max(abs(x[j] - exact[j]) for j in range(controls)))  # the range of a control is 1
    off_default.append(max(abs(y[j] - exact[j]) for j in range(controls)))
    least = objective(exact[:n], g, cl, cu)
    worse.append((f - least) / (1.0 + abs(least)))
a, b = statistics.median(ours), statistics.median(theirs)
print(f"{len(ours)} problems ({best}): ours {a:.2f} us, cvxopt {b:.0f} us, ratio {b / a:.0f}; error of u0: ours {max(off):.1e}, "
      f"cvxopt by default {max(off_default):.1e}; objective above cvxopt's best, relatively: {max(worse):.1e}")
