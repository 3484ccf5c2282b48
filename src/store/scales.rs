//! Names, units and dimension scales, so that xarray, netCDF and h5py see coordinates.

use std::ffi::{CString, c_char, c_int, c_uint};

use hdf5::types::VarLenUnicode;
use hdf5::{Dataset, Group, Location};
use hdf5_sys::h5i::hid_t;

use super::schema::Quantity;

// hdf5-metno-sys links the high-level library with its feature `hl` but does not declare these.
unsafe extern "C" {
    fn H5DSset_scale(dataset: hid_t, name: *const c_char) -> c_int;
    fn H5DSattach_scale(dataset: hid_t, scale: hid_t, axis: c_uint) -> c_int;
}

/// Makes a dataset the coordinate of a dimension.
pub(super) fn make_scale(dataset: &Dataset, name: &str) -> hdf5::Result<()> {
    let name = CString::new(name).map_err(|e| e.to_string())?;
    // SAFETY: the identifier is of an open dataset and the name ends with a zero; the library is entered under the
    // lock that serialises all its calls.
    let status = hdf5::sync::sync(|| unsafe { H5DSset_scale(dataset.id(), name.as_ptr()) });
    if status < 0 { Err("a dimension scale could not be set".into()) } else { Ok(()) }
}

/// Attaches the coordinates of a dataset's dimensions, in order.
pub(super) fn attach(dataset: &Dataset, scales: &[&Dataset]) -> hdf5::Result<()> {
    for (axis, scale) in scales.iter().enumerate() {
        // SAFETY: both identifiers are of open datasets; the library is entered under its lock.
        let status =
            hdf5::sync::sync(|| unsafe { H5DSattach_scale(dataset.id(), scale.id(), axis as c_uint) });
        if status < 0 {
            return Err("a dimension scale could not be attached".into());
        }
    }
    Ok(())
}

/// A string as the library takes it, where strings end at a zero byte.
pub(super) fn text(text: &str) -> hdf5::Result<VarLenUnicode> {
    text.replace('\0', "").parse().map_err(|e| hdf5::Error::from(format!("{e}")))
}

/// Writes a string attribute.
pub(super) fn text_attribute(location: &Location, name: &str, value: &str) -> hdf5::Result<()> {
    location.new_attr::<VarLenUnicode>().create(name)?.write_scalar(&text(value)?)
}

/// Writes an integer attribute.
pub(super) fn integer_attribute(location: &Location, name: &str, value: i64) -> hdf5::Result<()> {
    location.new_attr::<i64>().create(name)?.write_scalar(&value)
}

/// Reads an integer attribute.
pub(super) fn read_integer(location: &Location, name: &str) -> hdf5::Result<i64> {
    location.attr(name)?.read_scalar::<i64>()
}

/// Reads a string attribute.
pub(super) fn read_text(location: &Location, name: &str) -> hdf5::Result<String> {
    Ok(location.attr(name)?.read_scalar::<VarLenUnicode>()?.to_string())
}

/// Writes units and long name.
pub(super) fn describe(dataset: &Dataset, quantity: &Quantity) -> hdf5::Result<()> {
    text_attribute(dataset, "units", quantity.units)?;
    text_attribute(dataset, "long_name", quantity.long_name)
}

/// Writes the values and meanings of a flag, as CF has them.
pub(super) fn describe_flag(dataset: &Dataset, flags: &[(u8, &str)]) -> hdf5::Result<()> {
    let values: Vec<u8> = flags.iter().map(|f| f.0).collect();
    dataset.new_attr::<u8>().shape(values.len()).create("flag_values")?.write_raw(&values)?;
    let meanings: Vec<&str> = flags.iter().map(|f| f.1).collect();
    text_attribute(dataset, "flag_meanings", &meanings.join(" "))
}

/// A dimension that only counts: 0, 1, 2, ...
pub(super) fn counting_scale(group: &Group, name: &str, length: usize) -> hdf5::Result<Dataset> {
    let scale = group.new_dataset::<u32>().shape(length).create(name)?;
    scale.write_raw(&(0..length as u32).collect::<Vec<_>>())?;
    make_scale(&scale, name)?;
    Ok(scale)
}
