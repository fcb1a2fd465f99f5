/* Block-tridiagonal solves of soil columns, one column in each lane of a vector.

   The algebra and its symbols are those of blocks.py: A has diagonal blocks D_l [to, from] and, beside them,
   diagonal matrices kept as vectors lower_l, upper_l. Everything here works on M = p - A, whose pivots are
   S_l = p - D_l - lower_l S_{l-1}^-1 upper_{l-1}; a plain solve has p = 0 and the sign turned.

   Arrays are contiguous doubles, the batch first:
     lower, upper, start [batch, layer, pool]      diagonal [batch, layer, pool, pool]
     rhs, x [batch, tracer, layer, pool]           project [batch, group, layer, pool]
     shift [shift]   weight [shift, step, time]    out [batch, group, layer, time]
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

/* ---- the algebra of one layer; P is a constant where it is inlined ---- */

/* The pivot of `row` scaled to one and, in its place, the pivot's reciprocal. */
INLINE void scale_row(vec *restrict row, const int k, const int P) {
  const vec r = 1.0 / row[k];
#pragma GCC unroll 16
  for (int j = 0; j < P; j++) row[j] *= r;
  row[k] = r;
}

/* Number k of `row` taken out: returned, 0 left behind. */
INLINE vec take_out(vec *row, const int k) {
  const vec f = row[k];
  row[k] = (vec){0};
  return f;
}

INLINE void subtract_row(vec *restrict row, const vec f, const vec *restrict other, const int P) {
#pragma GCC unroll 16
  for (int j = 0; j < P; j++) row[j] -= f * other[j];
}

INLINE void copy_row(vec *restrict to, const vec *restrict from, const int P) {
#pragma GCC unroll 16
  for (int j = 0; j < P; j++) to[j] = from[j];
}

/* Inverse of S [P, P] in place by Gauss-Jordan without pivots, two rows at a time (half the stores of one);
   `a` and `b` each hold a row. */
INLINE void invert(vec *restrict s, vec *restrict a, vec *restrict b, const int P) {
  for (int k = 0; k < P; k += 2) {
    const int two = k + 1 < P;
    vec *first = s + k * P, *second = first + P;
    copy_row(a, first, P);
    scale_row(a, k, P);
    if (two) {
      copy_row(b, second, P);
      subtract_row(b, take_out(b, k), a, P);
      scale_row(b, k + 1, P);
      subtract_row(a, take_out(a, k + 1), b, P);
      copy_row(second, b, P);
    }
    copy_row(first, a, P);
    for (int t = 1 + two; t < P; t++) {
      const int i = k + t < P ? k + t : k + t - P; /* the next pivot row first: its division starts early */
      vec *own = s + i * P;
      const vec f = take_out(own, k);
      if (two) {
        const vec g = take_out(own, k + 1);
#pragma GCC unroll 16
        for (int j = 0; j < P; j++) own[j] = own[j] - f * a[j] - g * b[j];
      } else {
        subtract_row(own, f, a, P);
      }
    }
  }
}

/* total += inverse y, or its transpose times y. */
INLINE void apply(vec *restrict total, const vec *restrict inverse, const vec *restrict y,
                  const int transposed, const int P) {
  for (int j = 0; j < P; j++) {
#pragma GCC unroll 16
    for (int i = 0; i < P; i++) total[i] += inverse[transposed ? j * P + i : i * P + j] * y[j];
  }
}

/* S_l = p - D_l - lower_l S_{l-1}^-1 upper_{l-1}, where `before` is the inverse of the layer above. */
INLINE void pivot(vec *restrict s, const vec *restrict before, const vec *restrict diagonal,
                  const vec *restrict into, const vec *restrict from, const double shift, const int first,
                  const int P) {
  for (int i = 0; i < P; i++) {
    vec *own = s + i * P;
    const vec *d = diagonal + i * P;
    if (first) {
      for (int j = 0; j < P; j++) own[j] = -d[j];
    } else {
      const vec *above = before + i * P, in = -into[i];
#pragma GCC unroll 16
      for (int j = 0; j < P; j++) own[j] = in * from[j] * above[j] - d[j];
    }
    own[i] += shift;
  }
}

typedef struct {
  i64 layers, pools;
  const vec *lower, *diagonal, *upper;
  vec *inverses; /* [layer, pool, pool] */
  vec *rows;     /* two rows of scratch for pool counts that are no constant */
} Column;

/* Solves M x = rhs, or M^T x = rhs; x may be rhs. The inverses of the pivots are made on the way down with
   `eliminate`, else those of an earlier call serve. */
INLINE void solve_column(const Column *c, vec *x, const vec *rhs, const double shift, const int eliminate,
                         const int transposed, const int P) {
  const i64 L = c->layers;
  const int block = P * P;
  vec y_here[MOST_POOLS_INLINE], total_here[MOST_POOLS_INLINE];
  const int fits = P <= MOST_POOLS_INLINE;
  vec *y = fits ? y_here : c->rows, *total = fits ? total_here : c->rows + P;
  for (i64 l = 0; l < L; l++) {
    vec *s = c->inverses + l * block, *own = x + l * P;
    const vec *before = l > 0 ? s - block : s; /* of the layer above; these three are not read at the first */
    const vec *into = c->lower + l * P, *from = l > 0 ? c->upper + (l - 1) * P : c->upper;
    if (eliminate) {
      pivot(s, before, c->diagonal + l * block, into, from, shift, l == 0, P);
      invert(s, y, total, P);
    }
    const vec *below = transposed ? from : into;
#pragma GCC unroll 16
    for (int i = 0; i < P; i++) {
      y[i] = rhs[l * P + i];
      if (l > 0) y[i] += below[i] * own[i - P];
      total[i] = (vec){0};
    }
    apply(total, s, y, transposed, P);
    copy_row(own, total, P);
  }
  for (i64 l = L - 2; l >= 0; l--) {
    const vec *s = c->inverses + l * block;
    const vec *above = transposed ? c->lower + (l + 1) * P : c->upper + l * P;
    vec *own = x + l * P;
#pragma GCC unroll 16
    for (int i = 0; i < P; i++) {
      y[i] = above[i] * own[i + P];
      total[i] = own[i];
    }
    apply(total, s, y, transposed, P);
    copy_row(own, total, P);
  }
}

typedef struct {
  vec *lower, *diagonal, *upper;
} Cotangents;

/* Adds sum_j w_j s_j^T, on the blocks of A, over `count` pairs of states. */
INLINE void add_outer(const Column *c, const Cotangents *to, const vec *w, const vec *s, const i64 count,
                      const int P) {
  const i64 L = c->layers, state = L * P;
  vec row_here[MOST_POOLS_INLINE];
  vec *row = P <= MOST_POOLS_INLINE ? row_here : c->rows;
  for (i64 l = 0; l < L; l++) {
    for (int i = 0; i < P; i++) {
      const i64 at = l * P + i;
      vec from_above = {0}, from_below = {0};
      copy_row(row, to->diagonal + at * P, P);
      for (i64 j = 0; j < count; j++) {
        const vec pull = w[j * state + at], *own = s + j * state + l * P;
        if (l > 0) from_above += pull * own[i - P];
        if (l < L - 1) from_below += pull * own[i + P];
#pragma GCC unroll 16
        for (int k = 0; k < P; k++) row[k] += pull * own[k];
      }
      copy_row(to->diagonal + at * P, row, P);
      to->lower[at] += from_above;
      to->upper[at] += from_below;
    }
  }
}

/* A matrix by its first number and the distances between neighbours along its two axes. */
typedef struct {
  vec *at;
  i64 down, across;
} Grid;

/* M by N numbers of sum[m, n] += sum over k of weight[m * down + k * along] rows[k, n], held in registers. */
INLINE void add_weighted_block(const Grid sum, const double *weight, i64 down, i64 along, const Grid rows,
                               const i64 count, const int M, const int N) {
  vec own[4][4];
#pragma GCC unroll 4
  for (int m = 0; m < M; m++) {
#pragma GCC unroll 4
    for (int n = 0; n < N; n++) own[m][n] = sum.at[m * sum.down + n * sum.across];
  }
  for (i64 k = 0; k < count; k++) {
#pragma GCC unroll 4
    for (int m = 0; m < M; m++) {
      const double w = weight[m * down + k * along];
#pragma GCC unroll 4
      for (int n = 0; n < N; n++) own[m][n] += w * rows.at[k * rows.down + n * rows.across];
    }
  }
#pragma GCC unroll 4
  for (int m = 0; m < M; m++) {
#pragma GCC unroll 4
    for (int n = 0; n < N; n++) sum.at[m * sum.down + n * sum.across] = own[m][n];
  }
}

/* The same for `height` by `width` numbers, by blocks of four. */
NOINLINE void add_weighted(const Grid sum, i64 height, i64 width, const double *weight, i64 down, i64 along,
                           const Grid rows, i64 count) {
  for (i64 m = 0; m < height;) {
    const int four = height - m >= 4;
    for (i64 n = 0; n < width;) {
      const int wide = width - n >= 4;
      const Grid to = {sum.at + m * sum.down + n * sum.across, sum.down, sum.across};
      const Grid from = {rows.at + n * rows.across, rows.down, rows.across};
      const double *w = weight + m * down;
      if (four && wide) {
        add_weighted_block(to, w, down, along, from, count, 4, 4);
      } else if (four) {
        add_weighted_block(to, w, down, along, from, count, 4, 1);
      } else if (wide) {
        add_weighted_block(to, w, down, along, from, count, 1, 4);
      } else {
        add_weighted_block(to, w, down, along, from, count, 1, 1);
      }
      n += wide ? 4 : 1;
    }
    m += four ? 4 : 1;
  }
}

/* One compiled form for each pool count up to MOST_POOLS_INLINE, one for all others. */
typedef struct {
  void (*solve)(const Column *, vec *, const vec *, double, int, int);
  void (*add_outer)(const Column *, const Cotangents *, const vec *, const vec *, i64);
} Form;

#define FORM(NAME, P)                                                                                     \
  NOINLINE void solve_##NAME(const Column *c, vec *x, const vec *rhs, double shift, int eliminate,        \
                             int transposed) {                                                            \
    solve_column(c, x, rhs, shift, eliminate, transposed, P);                                             \
  }                                                                                                       \
  NOINLINE void add_outer_##NAME(const Column *c, const Cotangents *to, const vec *w, const vec *s,       \
                                 i64 count) {                                                             \
    add_outer(c, to, w, s, count, P);                                                                     \
  }
FORM(1, 1) FORM(2, 2) FORM(3, 3) FORM(4, 4) FORM(5, 5) FORM(6, 6) FORM(7, 7) FORM(8, 8) FORM(9, 9)
FORM(10, 10) FORM(11, 11) FORM(12, 12) FORM(any, (int)c->pools)

static const Form *form(i64 pools) {
#define PAIR(NAME) {solve_##NAME, add_outer_##NAME}
  static const Form forms[] = {PAIR(any), PAIR(1), PAIR(2), PAIR(3),  PAIR(4),  PAIR(5), PAIR(6),
                               PAIR(7),   PAIR(8), PAIR(9), PAIR(10), PAIR(11), PAIR(12)};
  return forms + (pools <= MOST_POOLS_INLINE ? pools : 0);
}

/* ---- a group of columns, one a lane ---- */

typedef struct {
  i64 batch, layers, pools, tracers, groups, shifts, steps, times;
  int transposed;
  const double *lower, *diagonal, *upper, *start, *shift, *weight, *project, *cotangent; /* read */
  double *out, *to_lower, *to_diagonal, *to_upper, *to_start, *to_project; /* written */
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

static Column load_column(const Task *t, Room *room, i64 first, int columns) {
  const i64 P = t->pools, state = t->layers * P;
  vec *lower = take(room, state), *diagonal = take(room, state * P), *upper = take(room, state);
  load(lower, t->lower + first * state, state, state, columns);
  load(diagonal, t->diagonal + first * state * P, state * P, state * P, columns);
  load(upper, t->upper + first * state, state, state, columns);
  return (Column){t->layers, P, lower, diagonal, upper, take(room, state * P), take(room, 2 * P)};
}

static i64 column_room(const Task *t) { return t->layers * t->pools * (2 * t->pools + 2) + 2 * t->pools; }

static i64 solve_room(const Task *t) { return column_room(t) + t->tracers * t->layers * t->pools; }

static void solve_group(const Task *t, vec *memory, i64 first, int columns) {
  Room room = {memory};
  const Column c = load_column(t, &room, first, columns);
  const i64 state = t->layers * t->pools, count = t->tracers * state;
  vec *x = take(&room, count);
  load(x, t->start + first * count, count, count, columns);
  for (i64 i = 0; i < count; i++) x[i] = -x[i];
  for (i64 r = 0; r < t->tracers; r++) {
    form(t->pools)->solve(&c, x + r * state, x + r * state, 0.0, r == 0, t->transposed);
  }
  store(t->out + first * count, x, count, count, columns);
}

static i64 cayley_room(const Task *t) {
  const i64 state = t->layers * t->pools, each = t->groups * t->layers;
  return column_room(t) + 3 * state + each * t->pools + each * (t->steps + t->times);
}

/* With x = (p - A)^-1 q: the next link of a chain is p x at its start, 2 p x - q after. */
static void advance(vec *q, const vec *x, i64 state, double shift, int begins) {
  for (i64 i = 0; i < state; i++) q[i] = begins ? shift * x[i] : 2.0 * shift * x[i] - q[i];
}

static void cayley_group(const Task *t, vec *memory, i64 first, int columns) {
  Room room = {memory};
  const Column c = load_column(t, &room, first, columns);
  const i64 P = t->pools, state = t->layers * P, each = t->groups * t->layers, M = t->steps, T = t->times;
  vec *start = take(&room, state), *q = take(&room, state), *x = take(&room, state),
     *project = take(&room, each * P), *links = take(&room, M * each), *sums = take(&room, T * each);
  memset(sums, 0, (size_t)(T * each) * sizeof(vec));
  load(start, t->start + first * state, state, state, columns);
  load(project, t->project + first * each * P, each * P, each * P, columns);
  for (i64 k = 0; k < t->shifts; k++) {
    const double shift = t->shift[k];
    for (i64 j = 0; j < M; j++) {
      form(P)->solve(&c, x, j ? q : start, shift, j == 0, 0);
      advance(q, x, state, shift, j == 0);
      for (i64 e = 0; e < each; e++) {
        const vec *weight = project + e * P, *own = q + P * (e % t->layers);
        vec sum = {0};
        for (i64 p = 0; p < P; p++) sum += weight[p] * own[p];
        links[j * each + e] = sum;
      }
    }
    add_weighted((Grid){sums, 1, T}, T, each, t->weight + k * M * T, 1, T, (Grid){links, each, 1}, M);
  }
  store(t->out + first * each * T, sums, each * T, each * T, columns);
}

static i64 adjoint_room(const Task *t) {
  const i64 state = t->layers * t->pools, each = t->groups * t->layers;
  return column_room(t) + state * (2 * t->steps + 3) + each * (2 * t->pools + t->steps + t->times) +
         state * (t->pools + 3);
}

/* Cotangents of what a chain reads. Backwards over its links, with w that of q_j and v = (p - A)^-T w:
     A gets v (q_j + q_{j-1})^T, and q_{j-1} gets 2 p v - w;   at the first link v q_1^T, and start gets p v. */
static void adjoint_group(const Task *t, vec *memory, i64 first, int columns) {
  Room room = {memory};
  const Column c = load_column(t, &room, first, columns);
  const i64 L = t->layers, P = t->pools, state = L * P, each = t->groups * L, M = t->steps;
  const i64 T = t->times;
  vec *start = take(&room, state), *w = take(&room, state), *x = take(&room, state),
     *chain = take(&room, M * state), *pulls = take(&room, M * state), *project = take(&room, each * P),
     *links = take(&room, M * each), *cotangent = take(&room, T * each);
  vec *sums = room.next;
  const Cotangents to = {take(&room, state), take(&room, state * P), take(&room, state)};
  vec *to_start = take(&room, state), *to_project = take(&room, each * P);
  memset(sums, 0, (size_t)(room.next - sums) * sizeof(vec));
  load(start, t->start + first * state, state, state, columns);
  load(project, t->project + first * each * P, each * P, each * P, columns);
  load(cotangent, t->cotangent + first * each * T, each * T, each * T, columns);
  for (i64 k = 0; k < t->shifts; k++) {
    const double shift = t->shift[k];
    memset(links, 0, (size_t)(M * each) * sizeof(vec));
    add_weighted((Grid){links, each, 1}, M, each, t->weight + k * M * T, T, 1, (Grid){cotangent, 1, T}, T);
    for (i64 j = 0; j < M; j++) {
      vec *q = chain + j * state;
      form(P)->solve(&c, x, j ? q - state : start, shift, j == 0, 0);
      if (j) memcpy(q, q - state, (size_t)state * sizeof(vec));
      advance(q, x, state, shift, j == 0);
    }
    memset(w, 0, (size_t)state * sizeof(vec));
    for (i64 j = M - 1; j >= 0; j--) {
      vec *q = chain + j * state, *v = pulls + j * state;
      const vec *own_cotangent = links + j * each;
      for (i64 e = 0; e < each; e++) {
        const i64 own = P * (e % L);
        for (i64 p = 0; p < P; p++) {
          w[own + p] += project[e * P + p] * own_cotangent[e];
          to_project[e * P + p] += own_cotangent[e] * q[own + p];
        }
      }
      form(P)->solve(&c, v, w, shift, 0, 1);
      if (j) {
        advance(w, v, state, shift, 0);
        for (i64 i = 0; i < state; i++) q[i] += q[i - state];
      } else {
        for (i64 i = 0; i < state; i++) to_start[i] += shift * v[i];
      }
    }
    form(P)->add_outer(&c, &to, pulls, chain, M);
  }
  store(t->to_lower + first * state, to.lower, state, state, columns);
  store(t->to_diagonal + first * state * P, to.diagonal, state * P, state * P, columns);
  store(t->to_upper + first * state, to.upper, state, state, columns);
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

/* Multiplications of `eliminations` and `solves` of one column. */
static double column_work(i64 layers, i64 pools, i64 eliminations, i64 solves) {
  return (double)(layers * pools * pools) * (double)(eliminations * pools + 2 * solves);
}

int subsoil_solve(i64 batch, i64 layers, i64 pools, i64 tracers, int transposed, const double *lower,
                  const double *diagonal, const double *upper, const double *rhs, double *x) {
  const Task t = {.batch = batch, .layers = layers, .pools = pools, .tracers = tracers,
                  .transposed = transposed, .lower = lower, .diagonal = diagonal, .upper = upper,
                  .start = rhs, .out = x};
  return run(&t, solve_group, solve_room(&t), column_work(layers, pools, 1, tracers));
}

int subsoil_cayley(i64 batch, i64 layers, i64 pools, i64 groups, i64 shifts, i64 steps, i64 times,
                   const double *lower, const double *diagonal, const double *upper, const double *start,
                   const double *shift, const double *weight, const double *project, double *out) {
  const Task t = {.batch = batch, .layers = layers, .pools = pools, .groups = groups, .shifts = shifts,
                  .steps = steps, .times = times, .lower = lower, .diagonal = diagonal, .upper = upper,
                  .start = start, .shift = shift, .weight = weight, .project = project, .out = out};
  return run(&t, cayley_group, cayley_room(&t), column_work(layers, pools, shifts, shifts * steps));
}

int subsoil_cayley_adjoint(i64 batch, i64 layers, i64 pools, i64 groups, i64 shifts, i64 steps, i64 times,
                           const double *lower, const double *diagonal, const double *upper,
                           const double *start, const double *shift, const double *weight,
                           const double *project, const double *cotangent, double *to_lower,
                           double *to_diagonal, double *to_upper, double *to_start, double *to_project) {
  const Task t = {.batch = batch, .layers = layers, .pools = pools, .groups = groups, .shifts = shifts,
                  .steps = steps, .times = times, .lower = lower, .diagonal = diagonal, .upper = upper,
                  .start = start, .shift = shift, .weight = weight, .project = project,
                  .cotangent = cotangent, .to_lower = to_lower, .to_diagonal = to_diagonal,
                  .to_upper = to_upper, .to_start = to_start, .to_project = to_project};
  return run(&t, adjoint_group, adjoint_room(&t), column_work(layers, pools, shifts, 3 * shifts * steps));
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
