# SPDX-License-Identifier: Apache-2.0
coolplane_unit_test(test_parse LINK coolplane_base)
coolplane_unit_test(test_clock LINK coolplane_base)
coolplane_unit_test(test_log LINK coolplane_base)
coolplane_unit_test(test_loop LINK coolplane_base)
coolplane_unit_test(test_hash LINK coolplane_base)
coolplane_unit_test(test_plot LINK coolplane_base)
coolplane_unit_test(test_outfile LINK coolplane_base)
