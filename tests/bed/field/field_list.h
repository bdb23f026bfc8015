/* SPDX-License-Identifier: Apache-2.0 */
/* The accesses of an attack (field_list.c), and what both files of the program need. */
#ifndef IOVM_FIELD_LIST_H
#define IOVM_FIELD_LIST_H

#include "module/field_ops.h"

/* Says why on stderr, and ends. */
_Noreturn void die(const char* format, ...);
/* The number in a file of sysfs; 0 if there is none. */
unsigned read_number(const char* folder, const char* name);

void read_list(const char* path);
const struct field_op* list(void);
unsigned list_size(void);

#endif
