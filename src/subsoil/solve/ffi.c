/* XLA calls the kernel through these handlers (typed foreign-function interface, c_api.h of jaxlib).

   kernel.py compiles this file against the headers of the jaxlib in use and hands over the kernel's functions
   with subsoil_bind. Shapes are checked in blocks.py; here what would read outside a buffer is refused. */

#include <stddef.h>
#include <stdint.h>

#include "xla/ffi/api/c_api.h"

typedef int64_t i64;
typedef const double *In;
typedef double *Out;

typedef int Solve(i64, i64, i64, i64, int, In, In, In, In, Out);
typedef int Cayley(i64, i64, i64, i64, i64, i64, i64, In, In, In, In, In, In, In, Out);
typedef int Adjoint(i64, i64, i64, i64, i64, i64, i64, In, In, In, In, In, In, In, In, Out, Out, Out, Out,
                    Out);

static Solve *solve;
static Cayley *cayley;
static Adjoint *adjoint;

void subsoil_bind(Solve *s, Cayley *c, Adjoint *a) {
  solve = s;
  cayley = c;
  adjoint = a;
}

static XLA_FFI_Error *fail(const XLA_FFI_CallFrame *frame, XLA_FFI_Error_Code code, const char *message) {
  XLA_FFI_Error_Create_Args args = {
      .struct_size = XLA_FFI_Error_Create_Args_STRUCT_SIZE, .message = message, .errc = code};
  return frame->api->XLA_FFI_Error_Create(&args);
}

static XLA_FFI_Error *wrong(const XLA_FFI_CallFrame *frame, const char *message) {
  return fail(frame, XLA_FFI_Error_Code_INVALID_ARGUMENT, message);
}

static XLA_FFI_Error *ended(const XLA_FFI_CallFrame *frame, int failed) {
  if (!failed) return NULL;
  return fail(frame, XLA_FFI_Error_Code_RESOURCE_EXHAUSTED, "the subsoil kernel found no memory");
}

/* XLA asks once for the version of the interface this was compiled with. */
static int asked_for_version(const XLA_FFI_CallFrame *frame) {
  XLA_FFI_Extension_Base *extension = frame->extension_start;
  if (extension == NULL || extension->type != XLA_FFI_Extension_Metadata) return 0;
  XLA_FFI_Metadata *metadata = ((XLA_FFI_Metadata_Extension *)extension)->metadata;
  metadata->api_version.major_version = XLA_FFI_API_MAJOR;
  metadata->api_version.minor_version = XLA_FFI_API_MINOR;
  metadata->traits = 0;
  return 1;
}

static const XLA_FFI_Buffer *argument(const XLA_FFI_CallFrame *frame, int i) { return frame->args.args[i]; }
static In in(const XLA_FFI_CallFrame *frame, int i) { return argument(frame, i)->data; }
static Out out(const XLA_FFI_CallFrame *frame, int i) {
  const XLA_FFI_Buffer *buffer = frame->rets.rets[i];
  return buffer->data;
}

/* Numbers, kinds and ranks of the arrays: doubles of the ranks given, results of the arguments' kind. */
static int fits(const XLA_FFI_CallFrame *frame, int arguments, int results, const int *ranks) {
  if (frame->args.size != arguments || frame->rets.size != results) return 0;
  for (int i = 0; i < arguments; i++) {
    if (frame->args.types[i] != XLA_FFI_ArgType_BUFFER) return 0;
    if (argument(frame, i)->dtype != XLA_FFI_DataType_F64 || argument(frame, i)->rank != ranks[i]) return 0;
  }
  for (int i = 0; i < results; i++) {
    const XLA_FFI_Buffer *buffer = frame->rets.rets[i];
    if (frame->rets.types[i] != XLA_FFI_RetType_BUFFER || buffer->dtype != XLA_FFI_DataType_F64) return 0;
  }
  return 1;
}

/* Arrays of chains: every size is read from one array and must be met by the others; `sums` holds the
   answer, or its cotangent. */
static int chains_fit(const XLA_FFI_CallFrame *frame, int arguments, int results, const XLA_FFI_Buffer *sums) {
  static const int ranks[] = {3, 4, 3, 3, 1, 3, 4, 4};
  if (!fits(frame, arguments, results, ranks) || sums->rank != 4) return 0;
  const i64 *d = argument(frame, 1)->dims, *start = argument(frame, 3)->dims;
  const i64 *weight = argument(frame, 5)->dims, *project = argument(frame, 6)->dims;
  return d[2] == d[3] && start[0] == d[0] && start[1] == d[1] && start[2] == d[2] && project[0] == d[0] &&
         project[2] == d[1] && project[3] == d[2] && weight[0] == argument(frame, 4)->dims[0] &&
         sums->dims[0] == d[0] && sums->dims[1] == project[1] && sums->dims[2] == d[1] &&
         sums->dims[3] == weight[2];
}

static XLA_FFI_Error *run_solve(XLA_FFI_CallFrame *frame, int transposed) {
  static const int ranks[] = {3, 4, 3, 4};
  if (asked_for_version(frame) || frame->stage != XLA_FFI_ExecutionStage_EXECUTE) return NULL;
  if (!fits(frame, 4, 1, ranks)) return wrong(frame, "solve: wrong arrays");
  const i64 *d = argument(frame, 1)->dims, *rhs = argument(frame, 3)->dims;
  if (d[2] != d[3] || rhs[0] != d[0] || rhs[2] != d[1] || rhs[3] != d[2]) {
    return wrong(frame, "solve: wrong shapes");
  }
  return ended(frame, solve(d[0], d[1], d[2], rhs[1], transposed, in(frame, 0), in(frame, 1), in(frame, 2),
                            in(frame, 3), out(frame, 0)));
}

XLA_FFI_Error *subsoil_ffi_solve(XLA_FFI_CallFrame *frame) { return run_solve(frame, 0); }
XLA_FFI_Error *subsoil_ffi_solve_transposed(XLA_FFI_CallFrame *frame) { return run_solve(frame, 1); }

XLA_FFI_Error *subsoil_ffi_cayley(XLA_FFI_CallFrame *frame) {
  if (asked_for_version(frame) || frame->stage != XLA_FFI_ExecutionStage_EXECUTE) return NULL;
  if (frame->rets.size != 1 || !chains_fit(frame, 7, 1, frame->rets.rets[0])) {
    return wrong(frame, "cayley: wrong arrays");
  }
  const i64 *d = argument(frame, 1)->dims, *w = argument(frame, 5)->dims;
  return ended(frame, cayley(d[0], d[1], d[2], argument(frame, 6)->dims[1], w[0], w[1], w[2], in(frame, 0),
                             in(frame, 1), in(frame, 2), in(frame, 3), in(frame, 4), in(frame, 5),
                             in(frame, 6), out(frame, 0)));
}

XLA_FFI_Error *subsoil_ffi_cayley_adjoint(XLA_FFI_CallFrame *frame) {
  if (asked_for_version(frame) || frame->stage != XLA_FFI_ExecutionStage_EXECUTE) return NULL;
  if (frame->args.size != 8 || !chains_fit(frame, 8, 5, argument(frame, 7))) {
    return wrong(frame, "cayley_adjoint: wrong arrays");
  }
  const i64 *d = argument(frame, 1)->dims, *w = argument(frame, 5)->dims;
  return ended(frame, adjoint(d[0], d[1], d[2], argument(frame, 6)->dims[1], w[0], w[1], w[2], in(frame, 0),
                              in(frame, 1), in(frame, 2), in(frame, 3), in(frame, 4), in(frame, 5),
                              in(frame, 6), in(frame, 7), out(frame, 0), out(frame, 1), out(frame, 2),
                              out(frame, 3), out(frame, 4)));
}
