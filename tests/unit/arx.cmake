# SPDX-License-Identifier: Apache-2.0
coolplane_unit_test(test_arx LINK coolplane_arx)
coolplane_unit_test(test_arx_worst LINK coolplane_arx)
coolplane_unit_test(test_arx_member LINK coolplane_arx)
coolplane_unit_test(test_arx_io LINK coolplane_arx)
coolplane_unit_test(test_arx_set LINK coolplane_arx)
coolplane_unit_test(test_arx_anchored LINK coolplane_arx)
coolplane_unit_test(test_arx_track LINK coolplane_arx)
