// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The one BPF object of Sluice: both programs in a single translation unit, so that they share one set of maps.
 */
#include "sluice_xdp.h"
#include "sluice_egress.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
