# SPDX-License-Identifier: Apache-2.0
coolplane_unit_test(test_num LINK coolplane_num)
coolplane_unit_test(test_rng LINK coolplane_num)
coolplane_unit_test(test_qp LINK coolplane_num)
target_link_options(test_qp PRIVATE -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc)
