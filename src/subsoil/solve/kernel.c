/* Block-tridiagonal solve and resolvent of soil columns, one column in each lane of a vector.

   The algebra and its symbols are those of blocks.py: A has diagonal blocks D_l [to, from] and, beside them,
   diagonal matrices kept as vectors lower_l, upper_l. Everything here works on M = z - A, whose pivots are
   S_l = z - D_l - lower_l S_{l-1}^-1 upper_{l-1}; a plain solve has z = 0, real numbers and the sign turned.

   Arrays are contiguous doubles, the batch first:
     lower, upper, start [batch, layer, pool]      diagonal [batch, layer, pool, pool]
     rhs, x [batch, tracer, layer, pool]           project [batch, group, layer, pool]
     nodes [2, node]                               re, im [batch, node, group, layer]
   Functions return 0, or 1 where memory ran out. They may run in several threads at once. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* As many lanes as the machine's registers hold: compilers split wider vectors badly. */
#if defined(__AVX512F__)
#define LANES 8
#elif defined(__AVX__)
#define LANES 4
#else
#define LANES 2
#endif

enum { MOST_POOLS_INLINE = 12 };

typedef double vec __attribute__((vector_size(8 * LANES)));
typedef double loose __attribute__((vector_size(8 * LANES), aligned(8), may_alias));
typedef int64_t i64;

#define INLINE static inline __attribute__((always_inline))
#define NOINLINE static __attribute__((noinline))

#if defined(__clang__)
#define PICK(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
typedef int64_t mask __attribute__((vector_size(8 * LANES)));
#define PICK(a, b, ...) __builtin_shuffle(a, b, (mask){__VA_ARGS__})
#endif

/* One thread is used below this many multiplications: starting another costs more. */
#define WORK_FOR_THREADS 2e6

/* ---- numbers: one vector if real, two (real, imaginary) if complex; `parts` is 1 or 2, a constant ---- */

INLINE void multiply(vec *r, const vec *a, const vec *b, const int parts) {
  if (parts == 1) {
    r[0] = a[0] * b[0];
  } else {
    const vec re = a[0] * b[0] - a[1] * b[1], im = a[0] * b[1] + a[1] * b[0];
    r[0] = re;
    r[1] = im;
  }
}

INLINE void add_product(vec *r, const vec *a, const vec *b, const int parts) {
  if (parts == 1) {
    r[0] += a[0] * b[0];
  } else {
    r[0] += a[0] * b[0];
    r[1] += a[0] * b[1];
    r[0] -= a[1] * b[1];
    r[1] += a[1] * b[0];
  }
}

INLINE void subtract_product(vec *r, const vec *a, const vec *b, const int parts) {
  if (parts == 1) {
    r[0] -= a[0] * b[0];
  } else {
    r[0] -= a[0] * b[0];
    r[1] -= a[0] * b[1];
    r[0] += a[1] * b[1];
    r[1] -= a[1] * b[0];
  }
}

INLINE void reciprocal(vec *r, const vec *a, const int parts) {
  if (parts == 1) {
    r[0] = 1.0 / a[0];
  } else {
    const vec n = 1.0 / (a[0] * a[0] + a[1] * a[1]);
    r[0] = a[0] * n;
    r[1] = -a[1] * n;
  }
}

/* ---- moving columns into lanes and back ---- */

/* Rows become columns: neighbours are exchanged first, then pairs, then fours. */
INLINE void transpose(vec *row) {
#if LANES == 2
  const vec a = row[0], b = row[1];
  row[0] = PICK(a, b, 0, 2);
  row[1] = PICK(a, b, 1, 3);
#elif LANES == 4
  vec a[4];
  for (int i = 0; i < 4; i += 2) {
    a[i] = PICK(row[i], row[i + 1], 0, 4, 2, 6);
    a[i + 1] = PICK(row[i], row[i + 1], 1, 5, 3, 7);
  }
  for (int i = 0; i < 2; i++) {
    row[i] = PICK(a[i], a[i + 2], 0, 1, 4, 5);
    row[i + 2] = PICK(a[i], a[i + 2], 2, 3, 6, 7);
  }
#else
  vec a[8], b[8];
  for (int i = 0; i < 8; i += 2) {
    a[i] = PICK(row[i], row[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
    a[i + 1] = PICK(row[i], row[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
  }
  for (int i = 0; i < 8; i += 4) {
    for (int j = i; j < i + 2; j++) {
      b[j] = PICK(a[j], a[j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      b[j + 2] = PICK(a[j], a[j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  }
  for (int i = 0; i < 4; i++) {
    row[i] = PICK(b[i], b[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    row[i + 4] = PICK(b[i], b[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
#endif
}

/* Columns of `count` numbers, `stride` apart, into lanes. Of the last group only `columns` exist: the other
   lanes repeat the last of them. */
NOINLINE void load(vec *lanes, const double *source, i64 count, i64 stride, int columns) {
  const double *from[LANES];
  for (int lane = 0; lane < LANES; lane++) {
    from[lane] = source + stride * (lane < columns ? lane : columns - 1);
  }
  i64 e = 0;
  for (; e + LANES <= count; e += LANES) {
    vec row[LANES];
    for (int lane = 0; lane < LANES; lane++) row[lane] = *(const loose *)(from[lane] + e);
    transpose(row);
    for (int i = 0; i < LANES; i++) lanes[e + i] = row[i];
  }
  for (; e < count; e++) {
    for (int lane = 0; lane < LANES; lane++) lanes[e][lane] = from[lane][e];
  }
}

NOINLINE void store(double *target, const vec *lanes, i64 count, i64 stride, int columns) {
  i64 e = 0;
  for (; e + LANES <= count; e += LANES) {
    vec row[LANES];
    for (int i = 0; i < LANES; i++) row[i] = lanes[e + i];
    transpose(row);
    for (int lane = 0; lane < columns; lane++) *(loose *)(target + stride * lane + e) = row[lane];
  }
  for (; e < count; e++) {
    for (int lane = 0; lane < columns; lane++) target[stride * lane + e] = lanes[e][lane];
  }
}

/* ---- the algebra of one layer; P and parts are constants where it is inlined ---- */

/* The pivot of `row` scaled to one and, in its place, the pivot's reciprocal. */
INLINE void scale_row(vec *restrict row, const int k, const int P, const int parts) {
  vec r[2];
  reciprocal(r, row + k * parts, parts);
#pragma GCC unroll 16
  for (int j = 0; j < P; j++) multiply(row + j * parts, row + j * parts, r, parts);
  for (int c = 0; c < parts; c++) row[k * parts + c] = r[c];
}

/* Number k of `row` taken out: returned in f, 0 left behind. */
INLINE void take_out(vec *f, vec *row, const int k, const int parts) {
  for (int c = 0; c < parts; c++) {
    f[c] = row[k * parts + c];
    row[k * parts + c] = (vec){0};
  }
}

INLINE void subtract_row(vec *restrict row, const vec *f, const vec *restrict other, const int P,
                         const int parts) {
#pragma GCC unroll 16
  for (int j = 0; j < P; j++) subtract_product(row + j * parts, f, other + j * parts, parts);
}

/* Inverse of S [P, P] in place by Gauss-Jordan without pivots, two rows at a time (half the stores of one);
   `a` and `b` each hold a row. */
INLINE void invert(vec *restrict s, vec *restrict a, vec *restrict b, const int P, const int parts) {
  const int width = P * parts;
  vec f[2], g[2];
  for (int k = 0; k < P; k += 2) {
    const int two = k + 1 < P;
    vec *first = s + k * width, *second = first + width;
#pragma GCC unroll 32
    for (int j = 0; j < width; j++) a[j] = first[j];
    scale_row(a, k, P, parts);
    if (two) {
#pragma GCC unroll 32
      for (int j = 0; j < width; j++) b[j] = second[j];
      take_out(f, b, k, parts);
      subtract_row(b, f, a, P, parts);
      scale_row(b, k + 1, P, parts);
      take_out(f, a, k + 1, parts);
      subtract_row(a, f, b, P, parts);
#pragma GCC unroll 32
      for (int j = 0; j < width; j++) second[j] = b[j];
    }
#pragma GCC unroll 32
    for (int j = 0; j < width; j++) first[j] = a[j];
    for (int t = 1 + two; t < P; t++) {
      const int i = k + t < P ? k + t : k + t - P; /* the next pivot row first: its division starts early */
      vec *own = s + i * width;
      take_out(f, own, k, parts);
      if (two) {
        take_out(g, own, k + 1, parts);
#pragma GCC unroll 16
        for (int j = 0; j < P; j++) {
          vec x[2];
          for (int c = 0; c < parts; c++) x[c] = own[j * parts + c];
          subtract_product(x, f, a + j * parts, parts);
          subtract_product(x, g, b + j * parts, parts);
          for (int c = 0; c < parts; c++) own[j * parts + c] = x[c];
        }
      } else {
        subtract_row(own, f, a, P, parts);
      }
    }
  }
}

/* total += inverse y, or its transpose times y. */
INLINE void apply(vec *restrict total, const vec *restrict inverse, const vec *restrict y,
                  const int transposed, const int P, const int parts) {
  for (int j = 0; j < P; j++) {
#pragma GCC unroll 16
    for (int i = 0; i < P; i++) {
      const int at = transposed ? j * P + i : i * P + j;
      add_product(total + i * parts, inverse + at * parts, y + j * parts, parts);
    }
  }
}

/* S_l = z - D_l - lower_l S_{l-1}^-1 upper_{l-1}, where `before` is the inverse of the layer above. */
INLINE void pivot(vec *restrict s, const vec *restrict before, const vec *restrict diagonal,
                  const vec *restrict into, const vec *restrict from, const double *node, const int first,
                  const int P, const int parts) {
  for (int i = 0; i < P; i++) {
    vec *own = s + i * P * parts;
    const vec *d = diagonal + i * P;
    if (first) {
      for (int j = 0; j < P; j++) {
        own[j * parts] = -d[j];
        if (parts == 2) own[j * parts + 1] = (vec){0};
      }
    } else {
      const vec *above = before + i * P * parts, in = -into[i];
#pragma GCC unroll 16
      for (int j = 0; j < P; j++) {
        const vec w = in * from[j];
        own[j * parts] = w * above[j * parts] - d[j];
        if (parts == 2) own[j * parts + 1] = w * above[j * parts + 1];
      }
    }
    for (int c = 0; c < parts; c++) own[i * parts + c] += node[c];
  }
}

typedef struct {
  i64 layers, pools, tracers;
  const vec *lower, *diagonal, *upper;
  vec *inverses; /* [layer, pool, pool, part] */
  vec *rows;     /* two rows of scratch for pool counts that are no constant */
} Column;

/* Solves M x = rhs, or M^T x = rhs, for each tracer in place in x [tracer, layer, pool, part]. The inverses
   of the pivots are made on the way down with `eliminate`, else those of an earlier call serve. */
INLINE void solve_column(const Column *c, vec *x, const double *node, const int eliminate,
                         const int transposed, const int P, const int parts) {
  const i64 L = c->layers, state = L * P * parts;
  const int block = P * P * parts, width = P * parts;
  vec y_here[2 * MOST_POOLS_INLINE], total_here[2 * MOST_POOLS_INLINE];
  const int fits = P <= MOST_POOLS_INLINE;
  vec *y = fits ? y_here : c->rows, *total = fits ? total_here : c->rows + width;
  for (i64 l = 0; l < L; l++) {
    vec *s = c->inverses + l * block;
    const vec *before = l > 0 ? s - block : s; /* of the layer above; these three are not read at the first */
    const vec *into = c->lower + l * P, *from = l > 0 ? c->upper + (l - 1) * P : c->upper;
    if (eliminate) {
      pivot(s, before, c->diagonal + l * P * P, into, from, node, l == 0, P, parts);
      invert(s, y, total, P, parts);
    }
    const vec *below = transposed ? from : into;
    for (i64 r = 0; r < c->tracers; r++) {
      vec *own = x + r * state + l * width;
#pragma GCC unroll 16
      for (int i = 0; i < P; i++) {
        for (int p = 0; p < parts; p++) {
          y[i * parts + p] = own[i * parts + p];
          if (l > 0) y[i * parts + p] += below[i] * own[(i - P) * parts + p];
          total[i * parts + p] = (vec){0};
        }
      }
      apply(total, s, y, transposed, P, parts);
#pragma GCC unroll 16
      for (int i = 0; i < width; i++) own[i] = total[i];
    }
  }
  for (i64 l = L - 2; l >= 0; l--) {
    const vec *s = c->inverses + l * block;
    const vec *above = transposed ? c->lower + (l + 1) * P : c->upper + l * P;
    for (i64 r = 0; r < c->tracers; r++) {
      vec *own = x + r * state + l * width;
#pragma GCC unroll 16
      for (int i = 0; i < P; i++) {
        for (int p = 0; p < parts; p++) {
          y[i * parts + p] = above[i] * own[(i + P) * parts + p];
          total[i * parts + p] = own[i * parts + p];
        }
      }
      apply(total, s, y, transposed, P, parts);
#pragma GCC unroll 16
      for (int i = 0; i < width; i++) own[i] = total[i];
    }
  }
}

/* One compiled form for each pool count up to MOST_POOLS_INLINE, one for all others. */
#define FORMS(P)                                                                                         \
  NOINLINE void real_##P(const Column *c, vec *x, const double *node, int eliminate, int transposed) {    \
    solve_column(c, x, node, eliminate, transposed, P, 1);                                                \
  }                                                                                                       \
  NOINLINE void complex_##P(const Column *c, vec *x, const double *node, int eliminate, int transposed) { \
    solve_column(c, x, node, eliminate, transposed, P, 2);                                                \
  }
FORMS(1) FORMS(2) FORMS(3) FORMS(4) FORMS(5) FORMS(6) FORMS(7) FORMS(8) FORMS(9) FORMS(10) FORMS(11) FORMS(12)

NOINLINE void real_any(const Column *c, vec *x, const double *node, int eliminate, int transposed) {
  solve_column(c, x, node, eliminate, transposed, (int)c->pools, 1);
}
NOINLINE void complex_any(const Column *c, vec *x, const double *node, int eliminate, int transposed) {
  solve_column(c, x, node, eliminate, transposed, (int)c->pools, 2);
}

typedef void Form(const Column *, vec *, const double *, int, int);

static Form *form(i64 pools, int parts) {
  static Form *const forms[][2] = {
      {real_any, complex_any}, {real_1, complex_1},   {real_2, complex_2},   {real_3, complex_3},
      {real_4, complex_4},     {real_5, complex_5},   {real_6, complex_6},   {real_7, complex_7},
      {real_8, complex_8},     {real_9, complex_9},   {real_10, complex_10}, {real_11, complex_11},
      {real_12, complex_12}};
  return forms[pools <= MOST_POOLS_INLINE ? pools : 0][parts - 1];
}

/* ---- a group of columns, one a lane ---- */

typedef struct {
  i64 batch, layers, pools, tracers, groups, nodes;
  int transposed;
  const double *lower, *diagonal, *upper, *start, *node, *project, *re, *im;                /* read */
  double *x, *out_re, *out_im, *to_lower, *to_diagonal, *to_upper, *to_start, *to_project; /* written */
} Task;

/* Lanes of a group, cut from one allocation a thread. */
typedef struct {
  vec *next;
} Room;

static vec *take(Room *room, i64 count) {
  vec *cut = room->next;
  room->next += count;
  return cut;
}

static Column load_column(const Task *t, Room *room, i64 first, int columns, int parts) {
  const i64 P = t->pools, state = t->layers * P;
  Column c = {.layers = t->layers, .pools = P, .tracers = t->tracers};
  vec *lower = take(room, state), *diagonal = take(room, state * P), *upper = take(room, state);
  load(lower, t->lower + first * state, state, state, columns);
  load(diagonal, t->diagonal + first * state * P, state * P, state * P, columns);
  load(upper, t->upper + first * state, state, state, columns);
  c.lower = lower, c.diagonal = diagonal, c.upper = upper;
  c.inverses = take(room, state * P * parts);
  c.rows = take(room, 2 * P * parts);
  return c;
}

static i64 solve_room(const Task *t) {
  const i64 state = t->layers * t->pools;
  return state * (2 * t->pools + 2) + 2 * t->pools + t->tracers * state;
}

static void solve_group(const Task *t, vec *memory, i64 first, int columns) {
  Room room = {memory};
  const double nothing[2] = {0.0, 0.0};
  const Column c = load_column(t, &room, first, columns, 1);
  const i64 count = t->tracers * t->layers * t->pools;
  vec *x = take(&room, count);
  load(x, t->start + first * count, count, count, columns);
  for (i64 i = 0; i < count; i++) x[i] = -x[i];
  form(t->pools, 1)(&c, x, nothing, 1, t->transposed);
  store(t->x + first * count, x, count, count, columns);
}

static i64 resolvent_room(const Task *t) {
  const i64 state = t->layers * t->pools, each = t->groups * t->layers;
  return state * (3 * t->pools + 2) + 4 * t->pools + state * 3 + each * t->pools + 2 * each;
}

static void load_start(vec *x, const vec *start, i64 state) {
  for (i64 i = 0; i < state; i++) {
    x[2 * i] = start[i];
    x[2 * i + 1] = (vec){0};
  }
}

static void resolvent_group(const Task *t, vec *memory, i64 first, int columns) {
  Room room = {memory};
  const Column c = load_column(t, &room, first, columns, 2);
  const i64 P = t->pools, state = t->layers * P, each = t->groups * t->layers, K = t->nodes;
  vec *start = take(&room, state), *x = take(&room, 2 * state), *project = take(&room, each * P),
     *re = take(&room, each), *im = take(&room, each);
  load(start, t->start + first * state, state, state, columns);
  load(project, t->project + first * each * P, each * P, each * P, columns);
  for (i64 k = 0; k < K; k++) {
    const double node[2] = {t->node[k], t->node[K + k]};
    load_start(x, start, state);
    form(P, 2)(&c, x, node, 1, 0);
    for (i64 e = 0; e < each; e++) {
      const vec *weight = project + e * P, *own = x + 2 * P * (e % t->layers);
      vec sum_re = {0}, sum_im = {0};
      for (i64 p = 0; p < P; p++) {
        sum_re += weight[p] * own[2 * p];
        sum_im += weight[p] * own[2 * p + 1];
      }
      re[e] = sum_re;
      im[e] = sum_im;
    }
    store(t->out_re + (first * K + k) * each, re, each, K * each, columns);
    store(t->out_im + (first * K + k) * each, im, each, K * each, columns);
  }
}

static i64 adjoint_room(const Task *t) {
  const i64 state = t->layers * t->pools, each = t->groups * t->layers;
  return resolvent_room(t) + 2 * state + state * (t->pools + 3) + each * t->pools;
}

/* Cotangents of what the resolvent reads. With M^T w = sum_g project_g conj(cotangent_g) the loss changes by
   Re(w . (dA x + dstart)) + Re(conj(cotangent_g) dproject_g . x), summed over nodes. */
static void adjoint_group(const Task *t, vec *memory, i64 first, int columns) {
  Room room = {memory};
  const Column c = load_column(t, &room, first, columns, 2);
  const i64 L = t->layers, P = t->pools, state = L * P, each = t->groups * L, K = t->nodes;
  vec *start = take(&room, state), *x = take(&room, 2 * state), *project = take(&room, each * P),
     *re = take(&room, each), *im = take(&room, each), *w = take(&room, 2 * state);
  vec *sums = room.next;
  vec *to_lower = take(&room, state), *to_diagonal = take(&room, state * P), *to_upper = take(&room, state),
     *to_start = take(&room, state), *to_project = take(&room, each * P);
  memset(sums, 0, (size_t)(room.next - sums) * sizeof(vec));
  load(start, t->start + first * state, state, state, columns);
  load(project, t->project + first * each * P, each * P, each * P, columns);
  for (i64 k = 0; k < K; k++) {
    const double node[2] = {t->node[k], t->node[K + k]};
    load(re, t->re + (first * K + k) * each, each, K * each, columns);
    load(im, t->im + (first * K + k) * each, each, K * each, columns);
    load_start(x, start, state);
    form(P, 2)(&c, x, node, 1, 0);
    memset(w, 0, (size_t)(2 * state) * sizeof(vec));
    for (i64 e = 0; e < each; e++) {
      const i64 l = e % L;
      for (i64 p = 0; p < P; p++) {
        const vec weight = project[e * P + p], *own = x + 2 * (l * P + p);
        vec *pull = w + 2 * (l * P + p);
        pull[0] += weight * re[e];
        pull[1] -= weight * im[e];
        to_project[e * P + p] += re[e] * own[0] + im[e] * own[1];
      }
    }
    form(P, 2)(&c, w, node, 0, 1);
    for (i64 l = 0; l < L; l++) {
      for (i64 i = 0; i < P; i++) {
        const i64 at = l * P + i;
        const vec w_re = w[2 * at], w_im = w[2 * at + 1], *own = x + 2 * l * P;
        for (i64 j = 0; j < P; j++) to_diagonal[at * P + j] += w_re * own[2 * j] - w_im * own[2 * j + 1];
        if (l > 0) to_lower[at] += w_re * x[2 * (at - P)] - w_im * x[2 * (at - P) + 1];
        if (l < L - 1) to_upper[at] += w_re * x[2 * (at + P)] - w_im * x[2 * (at + P) + 1];
        to_start[at] += w_re;
      }
    }
  }
  store(t->to_lower + first * state, to_lower, state, state, columns);
  store(t->to_diagonal + first * state * P, to_diagonal, state * P, state * P, columns);
  store(t->to_upper + first * state, to_upper, state, state, columns);
  store(t->to_start + first * state, to_start, state, state, columns);
  store(t->to_project + first * each * P, to_project, each * P, each * P, columns);
}

/* ---- the batch ---- */

enum { MOST_THREADS = 64 };

static atomic_int threads_wanted = 1;

/* How many threads a call may use, 1 to MOST_THREADS. */
void subsoil_threads(int count) {
  atomic_store(&threads_wanted, count < 1 ? 1 : count > MOST_THREADS ? MOST_THREADS : count);
}

typedef struct {
  const Task *task;
  void (*group)(const Task *, vec *, i64, int);
  i64 room;
  atomic_llong next;
  atomic_int failed;
} Queue;

/* Takes groups off the queue until none is left. */
static void *work_off(void *shared) {
  Queue *q = shared;
  vec *memory = aligned_alloc(sizeof(vec), (size_t)q->room * sizeof(vec));
  if (memory == NULL) {
    atomic_store(&q->failed, 1);
    return NULL;
  }
  for (;;) {
    const i64 first = LANES * (i64)atomic_fetch_add(&q->next, 1), left = q->task->batch - first;
    if (left <= 0) break;
    q->group(q->task, memory, first, (int)(left < LANES ? left : LANES));
  }
  free(memory);
  return NULL;
}

/* Threads are started for the call and joined: nothing spins while it waits, nothing outlives the call. */
static int run(const Task *t, void (*group)(const Task *, vec *, i64, int), i64 room, double work) {
  Queue q = {.task = t, .group = group, .room = room};
  const i64 groups = (t->batch + LANES - 1) / LANES;
  pthread_t helpers[MOST_THREADS];
  i64 wanted = work * (double)t->batch > WORK_FOR_THREADS ? atomic_load(&threads_wanted) : 1;
  if (wanted > groups) wanted = groups;
  int started = 0;
  while (started < wanted - 1 && pthread_create(&helpers[started], NULL, work_off, &q) == 0) started++;
  work_off(&q);
  for (int i = 0; i < started; i++) pthread_join(helpers[i], NULL);
  return atomic_load(&q.failed);
}

static double column_work(i64 layers, i64 pools) {
  return (double)layers * (double)(pools * pools * (pools + 2));
}

int subsoil_solve(i64 batch, i64 layers, i64 pools, i64 tracers, int transposed, const double *lower,
                  const double *diagonal, const double *upper, const double *rhs, double *x) {
  const Task t = {.batch = batch, .layers = layers, .pools = pools, .tracers = tracers,
                  .transposed = transposed, .lower = lower, .diagonal = diagonal, .upper = upper,
                  .start = rhs, .x = x};
  return run(&t, solve_group, solve_room(&t), column_work(layers, pools));
}

int subsoil_resolvent(i64 batch, i64 layers, i64 pools, i64 groups, i64 nodes, const double *lower,
                      const double *diagonal, const double *upper, const double *start, const double *node,
                      const double *project, double *re, double *im) {
  const Task t = {.batch = batch, .layers = layers, .pools = pools, .tracers = 1, .groups = groups,
                  .nodes = nodes, .lower = lower, .diagonal = diagonal, .upper = upper, .start = start,
                  .node = node, .project = project, .out_re = re, .out_im = im};
  return run(&t, resolvent_group, resolvent_room(&t), 4.0 * (double)nodes * column_work(layers, pools));
}

int subsoil_resolvent_adjoint(i64 batch, i64 layers, i64 pools, i64 groups, i64 nodes, const double *lower,
                              const double *diagonal, const double *upper, const double *start,
                              const double *node, const double *project, const double *re, const double *im,
                              double *to_lower, double *to_diagonal, double *to_upper, double *to_start,
                              double *to_project) {
  const Task t = {.batch = batch, .layers = layers, .pools = pools, .tracers = 1, .groups = groups,
                  .nodes = nodes, .lower = lower, .diagonal = diagonal, .upper = upper, .start = start,
                  .node = node, .project = project, .re = re, .im = im, .to_lower = to_lower,
                  .to_diagonal = to_diagonal, .to_upper = to_upper, .to_start = to_start,
                  .to_project = to_project};
  return run(&t, adjoint_group, adjoint_room(&t), 5.0 * (double)nodes * column_work(layers, pools));
}

/* ---- what kernel.py asks before it uses this library ---- */

#ifndef SUBSOIL_SOURCE
#define SUBSOIL_SOURCE ""
#endif

/* Hash of the source this was built from. */
const char *subsoil_source(void) { return SUBSOIL_SOURCE; }

/* Whether the processor has the instructions this was built with. */
int subsoil_fits_processor(void) {
  int fits = 1;
#ifdef __x86_64__
  __builtin_cpu_init();
#ifdef __AVX512F__
  fits = fits && __builtin_cpu_supports("avx512f");
#endif
#ifdef __AVX512VL__
  fits = fits && __builtin_cpu_supports("avx512vl");
#endif
#ifdef __AVX512DQ__
  fits = fits && __builtin_cpu_supports("avx512dq");
#endif
#ifdef __AVX2__
  fits = fits && __builtin_cpu_supports("avx2");
#endif
#ifdef __FMA__
  fits = fits && __builtin_cpu_supports("fma");
#endif
#endif
  return fits;
}

#ifdef SUBSOIL_MODULE
#include <Python.h>

/* An empty module: it gives the library a place in the package; its functions are reached through ctypes. */
PyMODINIT_FUNC PyInit__kernel(void) {
  static struct PyModuleDef module = {.m_base = PyModuleDef_HEAD_INIT, .m_name = "_kernel", .m_size = 0};
  return PyModule_Create(&module);
}
#endif
