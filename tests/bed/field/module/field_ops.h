/* SPDX-License-Identifier: GPL-2.0 */
/* What the field lab's program (field.c) and its module (module/iovm_field.c) tell each other. */
#ifndef IOVM_FIELD_OPS_H
#define IOVM_FIELD_OPS_H

#include <linux/types.h>

enum { FIELD_IOPL = 0x6b01, FIELD_SELF, FIELD_RUN };
enum { FIELD_MOST = 1 << 16 }; /* operations of one list */
enum field_kind { FIELD_OUT, FIELD_IN, FIELD_STORE, FIELD_LOAD, FIELD_WAIT };

struct field_op {
  __u32 kind;
  __u32 size;    /* 1, 2, 4; of memory also 8 */
  __u64 address; /* a port or a physical address */
  __u64 value;   /* FIELD_WAIT: ms */
};
struct field_list {
  __u64 ops;
  __u64 count;
};
struct field_self {
  __u64 cr3;
  __u64 code;
  __u64 code_size;
};

#endif
