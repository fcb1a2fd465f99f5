/* Runs every function of the kernel over arrays of exactly the size it may touch, for a sanitizer to watch,
   and checks the residual of each solve. With -DSHORT one array is too small: the sanitizer must cry. */

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef int64_t i64;

int subsoil_solve(i64, i64, i64, i64, int, const double *, const double *, const double *, const double *,
                  double *);
int subsoil_cayley(i64, i64, i64, i64, i64, i64, i64, const double *, const double *, const double *,
                   const double *, const double *, const double *, const double *, double *);
int subsoil_cayley_adjoint(i64, i64, i64, i64, i64, i64, i64, const double *, const double *, const double *,
                           const double *, const double *, const double *, const double *, const double *,
                           double *, double *, double *, double *, double *);
void subsoil_threads(int);
const char *subsoil_source(void);
int subsoil_fits_processor(void);

#ifdef SHORT
enum { MISSING = 1 };
#else
enum { MISSING = 0 };
#endif

static double next(void) {
  static uint64_t state = 88172645463325252u;
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return (double)(state >> 11) / 9007199254740992.0;
}

static double *numbers(i64 count) {
  double *x = malloc((size_t)(count > 0 ? count : 1) * sizeof(double));
  if (x == NULL) exit(3);
  for (i64 i = 0; i < count; i++) x[i] = next();
  return x;
}

static void check(int good, const char *what) {
  if (good) return;
  fprintf(stderr, "failed: %s\n", what);
  exit(2);
}

static void each(i64 B, i64 L, i64 P, i64 R, i64 G, i64 K, i64 M, i64 T) {
  const i64 state = B * L * P;
  double *lower = numbers(state), *diagonal = numbers(state * P), *upper = numbers(state);
  for (i64 i = 0; i < state; i++) diagonal[i * P + i % P] -= (double)P + 2.0; /* rows dominate */
  double *rhs = numbers(state * (R > 1 ? R : 1)), *x = numbers(state * R - MISSING);
  for (int transposed = 0; transposed < 2; transposed++) {
    check(subsoil_solve(B, L, P, R, transposed, lower, diagonal, upper, rhs, x) == 0, "solve returns 0");
    for (i64 n = 0; n < B * R; n++) {
      const i64 b = n / R;
      for (i64 l = 0; l < L; l++) {
        for (i64 i = 0; i < P; i++) {
          const i64 at = (n * L + l) * P + i, own = (b * L + l) * P;
          double sum = -rhs[at];
          for (i64 j = 0; j < P; j++) {
            sum += diagonal[transposed ? (own + j) * P + i : (own + i) * P + j] * x[(n * L + l) * P + j];
          }
          if (l > 0) sum += (transposed ? upper[own - P + i] : lower[own + i]) * x[at - P];
          if (l < L - 1) sum += (transposed ? lower[own + P + i] : upper[own + i]) * x[at + P];
          check(fabs(sum) < 1e-12, "solve leaves no residual");
        }
      }
    }
  }
  double *shift = numbers(K), *project = numbers(B * G * L * P), *weight = numbers(K * M * T),
         *out = numbers(B * T * G * L);
  for (i64 k = 0; k < K; k++) shift[k] += 0.5;
  check(subsoil_cayley(B, L, P, G, K, M, T, lower, diagonal, upper, rhs, shift, weight, project, out) == 0, "chains");
  double *to[] = {numbers(state), numbers(state * P), numbers(state), numbers(state), numbers(B * G * L * P)};
  check(subsoil_cayley_adjoint(B, L, P, G, K, M, T, lower, diagonal, upper, rhs, shift, weight, project, out,
                               to[0], to[1], to[2], to[3], to[4]) == 0,
        "adjoint");
  for (i64 i = 0; i < B * T * G * L; i++) check(isfinite(out[i]), "finite sums");
  for (i64 i = 0; i < state * P; i++) check(isfinite(to[1][i]), "finite cotangents");
  double *all[] = {lower, diagonal, upper, rhs, x, shift, weight, project, out};
  for (int i = 0; i < 9; i++) free(all[i]);
  for (int i = 0; i < 5; i++) free(to[i]);
}

int main(void) {
  subsoil_threads(3);
  check(subsoil_fits_processor(), "built for this processor");
  check(subsoil_source() != NULL, "source");
  for (i64 P = 1; P <= 14; P++) each(P % 2 ? 9 : 3, 3, P, 2, 2, 2, 3, 1 + P % 6);
  each(0, 3, 2, 1, 1, 1, 1, 1);  /* no columns */
  each(8, 1, 3, 1, 1, 1, 1, 1);  /* one layer */
  each(5, 4, 2, 0, 0, 0, 1, 1);  /* nothing to solve for */
  each(300, 20, 7, 1, 1, 2, 2, 5); /* several threads */
  return 0;
}
