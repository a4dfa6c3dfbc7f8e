/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lets Debian's static libraries, built for executables (PIE), be linked into a shared object:
 *
 *   - libelf's error state is a thread-local variable reached in a way that only executables may (R_X86_64_TPOFF32), so
 *     its three functions are defined here and that member of the archive is never pulled in;
 *   - libbpf and libxdp address `stderr` relative to themselves; the build renames it to the variable below.
 */
#include <stdio.h>

FILE *sluice_stderr;

__attribute__((constructor)) static void set_stderr(void)
{
	sluice_stderr = stderr;
}

static __thread int last_error;

int elf_errno(void)
{
	int error = last_error;

	last_error = 0;
	return error;
}

const char *elf_errmsg(int error)
{
	(void)error;
	return "malformed ELF file";
}

void __libelf_seterrno(int error)
{
	last_error = error;
}
